-- Notes that someone waits for the end of a task, so that it will be published.
-- KEYS: task
-- Returns 1 if the task is pending, else 0.
if redis.call('HGET', KEYS[1], 'status') ~= 'pending' then return 0 end
redis.call('HSET', KEYS[1], 'awaited', 1)
return 1
