-- Extends leases. One that was taken away is not brought back, and one that went to a later attempt is left alone.
-- KEYS: leases    ARGV: task prefix, lease end (seconds), id, attempt, id, attempt, ...
for index = 3, #ARGV, 2 do
  if redis.call('HGET', ARGV[1] .. ARGV[index], 'attempts') == ARGV[index + 1] then
    redis.call('ZADD', KEYS[1], 'XX', ARGV[2], ARGV[index])
  end
end
