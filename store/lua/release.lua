-- Gives claimed tasks back untried, for a worker that stops before it is done with them. They wait in the recovery queue.
-- Stands after clock.lua, when_full.lua and turns.lua.
-- KEYS: leases
-- ARGV: task prefix, waiting prefix, recovery queue, id, fence, id, fence, ...
-- Returns id, kind, id, kind, ... of those that are now free to be claimed.
go_on_when_full()
local free, now = {}, current_time()
for index = 4, #ARGV, 2 do
  local key = ARGV[1] .. ARGV[index]
  local task = redis.call('HMGET', key, 'status', 'fence', 'kind', 'account')
  if task[1] == 'pending' and task[2] == ARGV[index + 1] and redis.call('ZREM', KEYS[1], ARGV[index]) == 1 then
    redis.call('HINCRBY', key, 'attempts', -1)
    local line = line_of(ARGV[3], task[4])
    redis.call('HSET', key, 'queue', line)
    redis.call('ZADD', ARGV[2] .. line, now, ARGV[index])
    redis.call('SADD', LINES, line)
    free[#free + 1] = ARGV[index]
    free[#free + 1] = task[3]
  end
end
return free
