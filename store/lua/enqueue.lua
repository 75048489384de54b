-- Puts tasks into a queue again. Stands after when_full.lua and turns.lua.
-- ARGV: queue, task prefix, id, message, id, message, ...
go_on_when_full()
for index = 3, #ARGV, 2 do
  local task = redis.call('HMGET', ARGV[2] .. ARGV[index], 'account', 'cost')
  join_line(ARGV[1], task[1] or '0', (task[2] or '0 0') .. ' ' .. ARGV[index + 1])
end
