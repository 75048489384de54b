-- Gives a pending task to one worker under a lease, unless another one holds it or it has been tried too often.
-- KEYS: task, inputs, leases, deadlines
-- ARGV: id, worker, now (seconds), lease end (seconds), most attempts, waiting prefix, '1' if the worker runs nothing else
-- Returns {'gone'}, {'ended'}, {'held'}, {'overdue'}, {'last'}, or the task as its worker needs it:
-- {'claimed' or 'exhausted', attempt, kind, request, inputs, account, created}.
local task = redis.call('HMGET', KEYS[1], 'status', 'attempts', 'kind', 'request', 'queue', 'account', 'created', 'deadline')
if not task[1] then return {'gone'} end
if task[1] ~= 'pending' then return {'ended'} end
local lease = redis.call('ZSCORE', KEYS[3], ARGV[1])
if lease and tonumber(lease) > tonumber(ARGV[3]) then return {'held'} end
if task[8] and task[2] == '0' and tonumber(task[8]) < tonumber(ARGV[3]) then return {'overdue'} end
if tonumber(task[2]) >= tonumber(ARGV[5]) then
  return {'exhausted', tonumber(task[2]), task[3], task[4], {}, task[6], task[7]}
end
if task[2] ~= '0' and tonumber(task[2]) + 1 == tonumber(ARGV[5]) and ARGV[7] ~= '1' then return {'last'} end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HSET', KEYS[1], 'worker', ARGV[2], 'started', ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
redis.call('ZREM', ARGV[6] .. task[5], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return {'claimed', attempt, task[3], task[4], redis.call('LRANGE', KEYS[2], 0, -1), task[6], task[7]}
