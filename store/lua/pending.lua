-- Counts the tasks that have not ended, by network.
-- KEYS: networks with pending tasks    ARGV: pending prefix
-- Returns network, count, when the oldest was accepted, network, ...
local found = {}
for _, network in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = ARGV[1] .. network
  found[#found + 1] = network
  found[#found + 1] = redis.call('ZCARD', key)
  found[#found + 1] = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
end
return found
