-- Gives a claimed task back untried, for a worker that stops before it could start on it.
-- KEYS: task, leases    ARGV: id, attempt
-- Returns the kind of the task if it is now free to be claimed, else false.
local task = redis.call('HMGET', KEYS[1], 'status', 'attempts', 'kind')
if task[1] ~= 'pending' or task[2] ~= ARGV[2] then return false end
redis.call('HINCRBY', KEYS[1], 'attempts', -1)
redis.call('ZREM', KEYS[2], ARGV[1])
return task[3]
