-- Writes as accepting a task does, whether Redis is full or not. Stands after when_full.lua.
-- KEYS: the probe    ARGV: seconds for which it stays
go_on_when_full()
redis.call('SET', KEYS[1], 1, 'EX', ARGV[1])
