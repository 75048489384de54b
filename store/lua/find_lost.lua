-- Finds pending tasks that nothing would start, and moves them to the recovery queue, so that no two reconcilers take
-- them: those whose lease ran out, and those that wait but whose message has been missing for a while.
--
-- Messages leave a line in order of arrival, so who has waited for longer than the oldest message there has none in the
-- line. It may be on its way to the line or in a worker's hands; the task counts as lost only if it still waits a while
-- after that was seen. Stands after clock.lua, when_full.lua and turns.lua.
-- KEYS: leases, missing
-- ARGV: task prefix, waiting prefix, missing for (seconds), slack (seconds), most tasks, recovery queue,
--       queues of earlier releases, which no worker reads ...
-- Returns id, kind, id, kind, ...
local leases, missing = unpack(KEYS)
local task_prefix, waiting_prefix, missing_for, slack, most, recovery_queue = unpack(ARGV)
local lost, now = {}, current_time()
go_on_when_full()

local function recover(id, was_claimed)
  local task = redis.call('HMGET', task_prefix .. id, 'kind', 'queue', 'status', 'account')
  if task[3] ~= 'pending' then return end
  local waited = redis.call('ZREM', waiting_prefix .. task[2], id) == 1
  if not (waited or was_claimed) then return end
  local line = line_of(recovery_queue, task[4])
  redis.call('HSET', task_prefix .. id, 'queue', line)
  redis.call('ZADD', waiting_prefix .. line, now, id)
  redis.call('SADD', LINES, line)
  lost[#lost + 1] = id
  lost[#lost + 1] = task[1]
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', leases, id)
  recover(id, true)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', missing, '-inf', now - missing_for, 'LIMIT', 0, most)) do
  redis.call('ZREM', missing, id)
  recover(id, false)
end

local function note_missing(line, oldest)
  local waiting = waiting_prefix .. line
  local until_when = now
  if oldest then
    -- A message of a task that does not wait any more says nothing; it leaves the line next.
    local read, message = pcall(cjson.decode, message_of(oldest))
    local id = read and type(message) == 'table' and message.headers and message.headers.id
    until_when = id and redis.call('ZSCORE', waiting, id) or 0
  end
  local bound = '(' .. string.format('%.6f', until_when - slack)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', bound, 'LIMIT', 0, most)) do
    redis.call('ZADD', missing, 'NX', now, id)
  end
end

for _, line in ipairs(redis.call('SMEMBERS', LINES)) do
  local oldest = redis.call('LINDEX', line, -1)
  if not oldest and redis.call('EXISTS', waiting_prefix .. line) == 0 then
    redis.call('SREM', LINES, line)
  else
    if oldest then rank(parts_of(line)) end
    note_missing(line, oldest)
  end
end
for index = 7, #ARGV do
  note_missing(ARGV[index], nil)
  if redis.call('EXISTS', waiting_prefix .. ARGV[index]) == 0 then redis.call('DEL', ARGV[index]) end
end
return lost
