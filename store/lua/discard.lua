-- Forgets a task as if it had never been accepted.
-- Stands after backlog.lua.
-- KEYS: task, inputs, leases, backlog    ARGV: id, waiting prefix
local task = redis.call('HMGET', KEYS[1], 'status', 'queue')
if task[1] == 'pending' then
  redis.call('ZREM', ARGV[2] .. task[2], ARGV[1])
  count_out(KEYS[4], KEYS[1])
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2])
