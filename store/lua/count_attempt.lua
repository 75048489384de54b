-- Counts an attempt after all that was taken back, by the worker that still has the task. Stands after when_full.lua.
-- KEYS: task    ARGV: fence
-- Returns 1, or 0 if the task has ended or went to another worker.
local task = redis.call('HMGET', KEYS[1], 'status', 'fence')
if task[1] ~= 'pending' or task[2] ~= ARGV[1] then return 0 end
go_on_when_full()
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
return 1
