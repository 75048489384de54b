-- Finds pending tasks that nothing would start, and moves them to the recovery queue, so that no two reconcilers take
-- them: those whose lease ran out, and those that wait but whose message has been missing for a while.
--
-- Messages leave a queue in order of arrival, so who has waited for longer than the oldest message there has none in
-- the queue. It may be on its way to the queue or in a worker's hands; the task counts as lost only if it still waits a
-- while after that was seen. Stands after clock.lua and when_full.lua.
-- KEYS: leases, missing, waiting index of the recovery queue
-- ARGV: task prefix, waiting prefix, missing for (seconds), slack (seconds), most tasks,
--       recovery queue, all queues ...
-- Returns id, kind, id, kind, ...
local leases, missing, recovering = unpack(KEYS)
local task_prefix, waiting_prefix, missing_for, slack, most, recovery_queue = unpack(ARGV)
local lost, now = {}, current_time()
go_on_when_full()

local function recover(id, was_claimed)
  local task = redis.call('HMGET', task_prefix .. id, 'kind', 'queue', 'status')
  if task[3] ~= 'pending' then return end
  local waited = redis.call('ZREM', waiting_prefix .. task[2], id) == 1
  if not (waited or was_claimed) then return end
  redis.call('HSET', task_prefix .. id, 'queue', recovery_queue)
  redis.call('ZADD', recovering, now, id)
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

for index = 7, #ARGV do
  local waiting = waiting_prefix .. ARGV[index]
  local until_when = now
  local oldest = redis.call('LINDEX', ARGV[index], -1)
  if oldest then
    -- A message of a task that does not wait any more says nothing; it leaves the queue next.
    local read, message = pcall(cjson.decode, oldest)
    local id = read and type(message) == 'table' and message.headers and message.headers.id
    until_when = id and redis.call('ZSCORE', waiting, id) or 0
  end
  local bound = '(' .. string.format('%.6f', until_when - slack)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', bound, 'LIMIT', 0, most)) do
    redis.call('ZADD', missing, 'NX', now, id)
  end
end
return lost
