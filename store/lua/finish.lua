-- Ends a task once: the first final state wins, and the outcome of a claim that was superseded is dropped.
-- Stands after clock.lua, when_full.lua, backlog.lua, networks.lua, ended.lua, webhooks.lua and turns.lua.
-- KEYS: task, inputs, leases, backlog, networks with pending tasks, deadlines, webhooks
-- ARGV: id, fence ('' for whoever asks), status, error, data, time to live (seconds), waiting prefix,
--       stages ('' if it did not run), drained prefix, pending prefix, channel of webhooks,
--       time to live of a task with a webhook (seconds), seconds that it has cost beyond what its account was charged
-- Returns 1 if this call ended the task, else 0.
local SMALL_BYTES = 16 * 1024
local task = redis.call('HMGET', KEYS[1], 'status', 'fence', 'queue', 'awaited', 'bytes')
if task[1] ~= 'pending' then return 0 end
if ARGV[2] ~= '' and task[2] ~= ARGV[2] then return 0 end
-- While Redis is full, no answers are taken but small ones, and those that make more room than they need.
if #ARGV[5] <= SMALL_BYTES + task[5] then go_on_when_full() end
local now = current_time()
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'updated', now)
if ARGV[3] == 'success' then
  redis.call('HSET', KEYS[1], 'data', ARGV[5])
else
  redis.call('HSET', KEYS[1], 'error', ARGV[4])
end
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'stages', ARGV[8]) end
redis.call('HDEL', KEYS[1], 'request', 'awaited')
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('ZREM', ARGV[7] .. task[3], ARGV[1])
if tonumber(ARGV[13]) ~= 0 then
  local queue, account = parts_of(task[3])
  charge(queue, account, tonumber(ARGV[13]))
end
count_out(KEYS[4], KEYS[1])
count_end(ARGV[9], KEYS[1], now)
unlist_for_network(KEYS[5], ARGV[10], KEYS[1], ARGV[1])
order_delivery(KEYS[1], KEYS[7], ARGV[11], ARGV[1], ARGV[3], now, ARGV[12])
tell_waiting(task[4], ARGV[1])
return 1
