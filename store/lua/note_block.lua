-- Notes that a process gives out the IDs of a block from now on. Stands after when_full.lua.
-- KEYS: epoch, counter    ARGV: token, process, highest ID that it has given out before, last ID of the block,
--       most processes that are known at once (of the others it is forgotten; those that live note it again)
-- Returns 1, or 0 if the ledger has another epoch.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
go_on_when_full()
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
end
redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
if tonumber(redis.call('GET', KEYS[2]) or 0) < tonumber(ARGV[4]) then redis.call('SET', KEYS[2], ARGV[4]) end
return 1
