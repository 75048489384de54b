-- Lets a script go on while Redis is full. Stands before the scripts that bring tasks to their end: without them, a full
-- Redis would stay full.

-- Redis refuses a script in which the first write may take memory, and lets it go on after any other write.
local function go_on_when_full()
  redis.call('DEL', 'recoq:nothing')
end
