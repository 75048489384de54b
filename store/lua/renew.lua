-- Extends the leases that still exist; one that was taken away is not brought back.
-- KEYS: leases    ARGV: lease end (seconds), ids ...
local renewed = 0
for index = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[index]) then
    redis.call('ZADD', KEYS[1], ARGV[1], ARGV[index])
    renewed = renewed + 1
  end
end
return renewed
