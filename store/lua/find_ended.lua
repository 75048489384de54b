-- Finds those of some tasks that are not pending any more, or gone.
-- ARGV: task prefix, ids ...
-- Returns their ids.
local ended = {}
for index = 2, #ARGV do
  if redis.call('HGET', ARGV[1] .. ARGV[index], 'status') ~= 'pending' then ended[#ended + 1] = ARGV[index] end
end
return ended
