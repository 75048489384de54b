-- Gives a pending task to one worker under a lease, unless another one holds it or it has been tried too often.
-- Stands after clock.lua and when_full.lua.
-- KEYS: task, inputs, leases, deadlines
-- ARGV: id, worker, lease (seconds), most attempts, waiting prefix, '1' if the worker runs nothing else
-- Returns {'gone'}, {'ended'}, {'held'}, {'overdue'}, {'last'}, or the task as its worker needs it:
-- {'claimed' or 'exhausted', attempt, fence, kind, request, inputs, account, seconds since it was accepted,
-- cost}. The fence
-- is higher with each claim; an attempt may be taken back and made again.
local now = current_time()
local task = redis.call('HMGET', KEYS[1], 'status', 'attempts', 'kind', 'request', 'queue', 'account', 'created', 'deadline',
  'cost')
if not task[1] then return {'gone'} end
if task[1] ~= 'pending' then return {'ended'} end
local lease = redis.call('ZSCORE', KEYS[3], ARGV[1])
if lease and tonumber(lease) > now then return {'held'} end
if task[8] and task[2] == '0' and tonumber(task[8]) < now then return {'overdue'} end
local attempts, queued = tonumber(task[2]), string.format('%.6f', now - task[7])
if attempts >= tonumber(ARGV[4]) then
  return {'exhausted', attempts, 0, task[3], task[4], {}, task[6], queued, task[9] or ''}
end
if attempts > 0 and attempts + 1 == tonumber(ARGV[4]) and ARGV[6] ~= '1' then return {'last'} end
go_on_when_full()
redis.call('HSET', KEYS[1], 'attempts', attempts + 1, 'worker', ARGV[2], 'started', now)
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[1])
redis.call('ZREM', ARGV[5] .. task[5], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
local inputs = redis.call('LRANGE', KEYS[2], 0, -1)
return {'claimed', attempts + 1, fence, task[3], task[4], inputs, task[6], queued, task[9] or ''}
