-- Counts an attempt to deliver, unless another consumer is at it, or the delivery was settled or its task forgotten.
-- KEYS: task, webhooks
-- ARGV: id, now (seconds), end of the attempt at the latest (seconds)
-- Returns account, URL, attempt and when the task ended, or false.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
local task = redis.call('HMGET', KEYS[1], 'account', 'webhook_url', 'webhook_busy_until', 'updated')
if not task[2] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return false
end
if task[3] and tonumber(task[3]) > tonumber(ARGV[2]) then return false end
redis.call('HSET', KEYS[1], 'webhook_busy_until', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return {task[1], task[2], redis.call('HINCRBY', KEYS[1], 'webhook_attempts', 1), task[4]}
