-- Puts the delivery of a webhook on the list of those of its account, when its task ends.
-- KEYS of the call: task, accounts with deliveries. The record is kept for longer than deliveries are tried.
local function order_delivery(task_key, accounts_key, channel, id, status, now, kept)
  local task = redis.call('HMGET', task_key, 'webhook_events', 'account')
  if not task[1] then return end
  if not string.find(task[1], status, 1, true) then
    redis.call('HSET', task_key, 'webhook_status', 'skipped')
    return
  end
  redis.call('SADD', accounts_key, task[2])
  redis.call('ZADD', accounts_key .. ':' .. task[2], now, id)
  if redis.call('TTL', task_key) < tonumber(kept) then redis.call('EXPIRE', task_key, kept) end
  redis.call('PUBLISH', channel, id)
end
