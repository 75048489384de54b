-- Takes deliveries that are due, and puts them off, so that each goes to one consumer; one that is lost comes again.
-- Stands after clock.lua.
-- KEYS: webhooks
-- ARGV: due again in (seconds), most deliveries
-- Returns the ids of their tasks.
local now = current_time()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], now + ARGV[1], id) end
return due
