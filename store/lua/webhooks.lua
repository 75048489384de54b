-- Puts the delivery of a webhook on the list of those that are due, when its task ends.
-- KEYS of the call: task, webhooks. The record is kept for longer than deliveries are tried.
local function order_delivery(task_key, webhooks_key, channel, id, status, now, kept)
  local events = redis.call('HGET', task_key, 'webhook_events')
  if not events then return end
  if not string.find(events, status, 1, true) then
    redis.call('HSET', task_key, 'webhook_status', 'skipped')
    return
  end
  redis.call('ZADD', webhooks_key, now, id)
  if redis.call('TTL', task_key) < tonumber(kept) then redis.call('EXPIRE', task_key, kept) end
  redis.call('PUBLISH', channel, id)
end
