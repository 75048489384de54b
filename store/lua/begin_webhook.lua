-- Counts an attempt to deliver, unless another consumer is at it, or the delivery was settled or its task forgotten.
-- Stands after clock.lua.
-- KEYS: task, webhooks
-- ARGV: id, how long the attempt may take (seconds)
-- Returns account, URL, attempt and how long ago the task ended (seconds), or false.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
local task = redis.call('HMGET', KEYS[1], 'account', 'webhook_url', 'webhook_busy_until', 'updated')
if not task[2] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return false
end
local now = current_time()
if task[3] and tonumber(task[3]) > now then return false end
redis.call('HSET', KEYS[1], 'webhook_busy_until', now + ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
return {task[1], task[2], redis.call('HINCRBY', KEYS[1], 'webhook_attempts', 1),
  string.format('%.6f', now - task[4])}
