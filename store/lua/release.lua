-- Gives claimed tasks back untried, for a worker that stops before it is done with them. They wait in the recovery queue.
-- Stands after clock.lua and when_full.lua.
-- KEYS: leases, waiting index of the recovery queue
-- ARGV: task prefix, recovery queue, id, fence, id, fence, ...
-- Returns id, kind, id, kind, ... of those that are now free to be claimed.
go_on_when_full()
local free, now = {}, current_time()
for index = 3, #ARGV, 2 do
  local key = ARGV[1] .. ARGV[index]
  local task = redis.call('HMGET', key, 'status', 'fence', 'kind')
  if task[1] == 'pending' and task[2] == ARGV[index + 1] and redis.call('ZREM', KEYS[1], ARGV[index]) == 1 then
    redis.call('HINCRBY', key, 'attempts', -1)
    redis.call('HSET', key, 'queue', ARGV[2])
    redis.call('ZADD', KEYS[2], now, ARGV[index])
    free[#free + 1] = ARGV[index]
    free[#free + 1] = task[3]
  end
end
return free
