-- Accepts a task: gives it an ID, writes its record and its staged inputs, and lists it as waiting, in one step.
-- KEYS: counter, waiting index of the queue
-- ARGV: task prefix, inputs prefix, account, kind, queue, request, now (seconds), version ('' for none),
--       input bytes ...
local id = redis.call('INCR', KEYS[1])
redis.call('HSET', ARGV[1] .. id,
  'account', ARGV[3], 'kind', ARGV[4], 'queue', ARGV[5], 'request', ARGV[6],
  'status', 'pending', 'created', ARGV[7], 'updated', ARGV[7], 'attempts', 0, 'version', ARGV[8])
for index = 9, #ARGV do
  redis.call('RPUSH', ARGV[2] .. id, ARGV[index])
end
redis.call('ZADD', KEYS[2], ARGV[7], id)
return id
