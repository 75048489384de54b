-- Adds what a process has tallied to the totals and to the current bucket of the history.
-- KEYS: totals, bucket    ARGV: time to live of the bucket (seconds), field, amount, field, amount, ...
for index = 2, #ARGV, 2 do
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[index], ARGV[index + 1])
  redis.call('HINCRBYFLOAT', KEYS[2], ARGV[index], ARGV[index + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
