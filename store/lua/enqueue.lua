-- Puts messages into a queue. Stands after when_full.lua.
-- KEYS: queue    ARGV: message ...
go_on_when_full()
for _, message in ipairs(ARGV) do redis.call('LPUSH', KEYS[1], message) end
