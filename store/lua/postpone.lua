-- Takes an attempt back that could not be made for want of a backing service. The lease stays: when it runs out, the
-- task is enqueued again. Stands after when_full.lua.
-- KEYS: task    ARGV: fence
local task = redis.call('HMGET', KEYS[1], 'status', 'fence')
if task[1] ~= 'pending' or task[2] ~= ARGV[1] then return 0 end
go_on_when_full()
redis.call('HINCRBY', KEYS[1], 'attempts', -1)
return 1
