-- Counts the tasks that have not ended, by network. Stands after clock.lua.
-- KEYS: networks with pending tasks    ARGV: pending prefix
-- Returns network, count, how long ago the oldest was accepted (seconds), network, ...
local found, now = {}, current_time()
for _, network in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = ARGV[1] .. network
  found[#found + 1] = network
  found[#found + 1] = redis.call('ZCARD', key)
  found[#found + 1] = string.format('%.6f', now - redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end
return found
