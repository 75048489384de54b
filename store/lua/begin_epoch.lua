-- Gives a ledger the token of a new epoch, unless another process has been first. Stands after when_full.lua.
-- KEYS: epoch    ARGV: token of the former epoch ('' for none), token of the new one
local known = redis.call('HGET', KEYS[1], 'token') or ''
if known == ARGV[2] or known ~= ARGV[1] then return end
go_on_when_full()
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[2])
