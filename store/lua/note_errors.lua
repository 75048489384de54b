-- Counts errors by group, as long as there are not too many groups.
-- KEYS: counts, latest    ARGV: time to live (seconds), most groups, then for each: group, count, latest (JSON)
for index = 3, #ARGV, 3 do
  local group = ARGV[index]
  if redis.call('HEXISTS', KEYS[1], group) == 1 or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('HINCRBY', KEYS[1], group, ARGV[index + 1])
    redis.call('HSET', KEYS[2], group, ARGV[index + 2])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
