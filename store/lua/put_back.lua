-- Puts tasks back that a worker has taken and not begun, ahead of those that wait, and their account gets the turn back.
-- Stands after when_full.lua and turns.lua.
-- ARGV: queue, account, elements, oldest first ...
go_on_when_full()
local queue, account = ARGV[1], ARGV[2]
rank(queue, account)
for index = #ARGV, 3, -1 do
  redis.call('RPUSH', line_of(queue, account), ARGV[index])
  charge(queue, account, -cost_of(ARGV[index]))
end
wake_a_worker()
