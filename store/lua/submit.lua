-- Accepts a task: gives it an ID, writes its record and its staged inputs, and lists it as waiting, in one step.
-- Stands after backlog.lua and networks.lua.
-- KEYS: counter, waiting index of the queue, backlog, networks with pending tasks
-- ARGV: task prefix, inputs prefix, account, kind, queue, request, now (seconds), version ('' for none),
--       limits (JSON), network, pending prefix, input bytes ...
-- Returns the ID, or the name of the limit that kept the task out.
local bytes = 0
for index = 12, #ARGV do bytes = bytes + #ARGV[index] end
local limit = exceeded_limit(KEYS[3], ARGV[3], bytes, cjson.decode(ARGV[9]))
if limit then return limit end
local id = redis.call('INCR', KEYS[1])
redis.call('HSET', ARGV[1] .. id,
  'account', ARGV[3], 'kind', ARGV[4], 'queue', ARGV[5], 'request', ARGV[6],
  'status', 'pending', 'created', ARGV[7], 'updated', ARGV[7], 'attempts', 0, 'version', ARGV[8],
  'bytes', bytes, 'network', ARGV[10])
for index = 12, #ARGV do
  redis.call('RPUSH', ARGV[2] .. id, ARGV[index])
end
redis.call('ZADD', KEYS[2], ARGV[7], id)
count_in(KEYS[3], ARGV[3], bytes)
list_for_network(KEYS[4], ARGV[11], ARGV[10], id, ARGV[7])
return id
