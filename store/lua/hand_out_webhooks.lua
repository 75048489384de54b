-- Takes deliveries that are due, and puts them off, so that each goes to one consumer; one that is lost comes again.
-- No more are taken than the queue has room for: it would fill with messages for receivers that are slow to answer.
-- Stands after clock.lua.
-- KEYS: webhooks, their queue
-- ARGV: due again in (seconds), most messages in the queue
-- Returns the ids of their tasks.
local room = tonumber(ARGV[2]) - redis.call('LLEN', KEYS[2])
if room <= 0 then return {} end
local now = current_time()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, room)
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], now + ARGV[1], id) end
return due
