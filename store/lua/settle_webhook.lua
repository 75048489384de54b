-- Notes how an attempt to deliver went, unless another one has begun since. Stands after clock.lua.
-- KEYS: task, deliveries of its account, those of them that are under way
-- ARGV: id, attempt, status, error ('' for none), in how many seconds to try again ('' for never)
local attempts = redis.call('HGET', KEYS[1], 'webhook_attempts')
if attempts ~= ARGV[2] then return end
redis.call('HSET', KEYS[1], 'webhook_status', ARGV[3], 'webhook_error', ARGV[4])
redis.call('HDEL', KEYS[1], 'webhook_busy_until')
redis.call('ZREM', KEYS[3], ARGV[1])
if ARGV[5] == '' then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], current_time() + ARGV[5], ARGV[1])
end
