-- Counts an attempt to deliver, unless another sender is at it, or the delivery was settled or its task forgotten.
-- Stands after clock.lua.
-- KEYS: task, deliveries of its account, those of them that are under way
-- ARGV: id, how long the attempt may take (seconds)
-- Returns URL, attempt and how long ago the task ended (seconds), or false.
local task = redis.call('HMGET', KEYS[1], 'webhook_url', 'webhook_busy_until', 'updated')
if not task[1] then redis.call('ZREM', KEYS[2], ARGV[1]) end
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return false
end
local now = current_time()
if task[2] and tonumber(task[2]) > now then return false end
redis.call('HSET', KEYS[1], 'webhook_busy_until', now + ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], now + ARGV[2], ARGV[1])
return {task[1], redis.call('HINCRBY', KEYS[1], 'webhook_attempts', 1), string.format('%.6f', now - task[3])}
