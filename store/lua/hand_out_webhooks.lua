-- Takes deliveries that are due, and puts them off, so that each goes to one consumer; one that is lost comes again.
-- KEYS: webhooks
-- ARGV: now (seconds), due again (seconds), most deliveries
-- Returns the ids of their tasks.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], id) end
return due
