-- Extends leases. One that was taken away is not brought back, and one that went to a later claim is left alone.
-- Stands after clock.lua and when_full.lua.
-- KEYS: leases    ARGV: task prefix, lease (seconds), id, fence, id, fence, ...
go_on_when_full()
local lease_end = current_time() + ARGV[2]
for index = 3, #ARGV, 2 do
  if redis.call('HGET', ARGV[1] .. ARGV[index], 'fence') == ARGV[index + 1] then
    redis.call('ZADD', KEYS[1], 'XX', lease_end, ARGV[index])
  end
end
