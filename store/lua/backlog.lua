-- Keeps count of the backlog: pending tasks and their staged bytes, in all and for each account, in one hash; and of the
-- tasks that ended, for the rate at which the backlog drains. Stands before the scripts that accept and end tasks.

local function change(backlog, field, amount)
  if amount == 0 then return end  -- Lua has a negative zero, which Redis takes for no integer
  if redis.call('HINCRBY', backlog, field, amount) == 0 then redis.call('HDEL', backlog, field) end
end

-- Returns the name of the limit that one more task of this account would exceed, or nil.
local function exceeded_limit(backlog, account, bytes, limits)
  local count = redis.call('HMGET', backlog, 'tasks', 'tasks:' .. account, 'bytes', 'bytes:' .. account)
  if (tonumber(count[1]) or 0) >= limits.tasks then return 'tasks' end
  if (tonumber(count[2]) or 0) >= limits.account_tasks then return 'account_tasks' end
  if (tonumber(count[3]) or 0) + bytes > limits.staged_bytes then return 'staged_bytes' end
  if (tonumber(count[4]) or 0) + bytes > limits.account_staged_bytes then return 'account_staged_bytes' end
end

local function count_in(backlog, account, bytes)
  change(backlog, 'tasks', 1)
  change(backlog, 'tasks:' .. account, 1)
  change(backlog, 'bytes', bytes)
  change(backlog, 'bytes:' .. account, bytes)
end

-- To be called while the task's record is still there.
local function count_out(backlog, task)
  local record = redis.call('HMGET', task, 'account', 'bytes')
  change(backlog, 'tasks', -1)
  change(backlog, 'tasks:' .. record[1], -1)
  change(backlog, 'bytes', -tonumber(record[2]))
  change(backlog, 'bytes:' .. record[1], -tonumber(record[2]))
end

-- Counts an end in the hash of its ten seconds: PERIOD_SECONDS in store/drain.py.
local function count_end(drained_prefix, task, now)
  local key = drained_prefix .. math.floor(now / 10)
  redis.call('HINCRBY', key, redis.call('HGET', task, 'account'), 1)
  if redis.call('HINCRBY', key, 'all', 1) == 1 then redis.call('EXPIRE', key, 120) end
end
