-- Remembers which task was accepted under which key, so that a repeated request makes no second one.
-- An order is {key, fingerprint, seconds}; without one, nothing is looked up or remembered.

-- Returns the ID of the task that was accepted under the key, or 'conflict' if its request was another one.
local function accepted_before(order)
  if not order then return nil end
  local known = redis.call('HMGET', order.key, 'fingerprint', 'task')
  if not known[1] then return nil end
  if known[1] ~= order.fingerprint then return 'conflict' end
  return known[2]
end

local function remember_accepted(order, id)
  if not order then return end
  redis.call('HSET', order.key, 'fingerprint', order.fingerprint, 'task', id)
  redis.call('EXPIRE', order.key, order.seconds)
end
