-- Finds pending tasks that no live worker holds and that have not been enqueued since a given time, and marks them
-- as enqueued now, so that two reconcilers do not both take them.
-- KEYS: pending index, leases
-- ARGV: task prefix, now (seconds), enqueued before (seconds), most tasks, '1' if the queues are empty
-- Returns id, kind, id, kind, ...
local lost = {}
local function take(id)
  local kind = redis.call('HGET', ARGV[1] .. id, 'kind')
  redis.call('ZREM', KEYS[2], id)
  if kind then
    redis.call('ZADD', KEYS[1], ARGV[2], id)
    lost[#lost + 1] = id
    lost[#lost + 1] = kind
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
-- Their worker died: its lease ran out.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[4])) do
  take(id)
end
-- Their message died: no message is left that could start them.
if ARGV[5] == '1' then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])) do
    if not redis.call('ZSCORE', KEYS[2], id) then take(id) end
  end
end
return lost
