-- Accepts a task: gives it an ID, writes its record and its staged inputs, and lists it as pending, in one step.
-- KEYS: counter, pending index
-- ARGV: task prefix, inputs prefix, account, kind, request, now (seconds), input bytes ...
local id = redis.call('INCR', KEYS[1])
redis.call('HSET', ARGV[1] .. id,
  'account', ARGV[3], 'kind', ARGV[4], 'request', ARGV[5],
  'status', 'pending', 'created', ARGV[6], 'updated', ARGV[6], 'attempts', 0)
for index = 7, #ARGV do
  redis.call('RPUSH', ARGV[2] .. id, ARGV[index])
end
redis.call('ZADD', KEYS[2], ARGV[6], id)
return id
