-- Forgets a task as if it had never been accepted.
-- Stands after backlog.lua, networks.lua and ended.lua.
-- KEYS: task, inputs, leases, backlog, networks with pending tasks, deadlines    ARGV: id, waiting prefix, pending prefix
local task = redis.call('HMGET', KEYS[1], 'status', 'queue', 'awaited')
if task[1] == 'pending' then
  redis.call('ZREM', ARGV[2] .. task[2], ARGV[1])
  count_out(KEYS[4], KEYS[1])
  unlist_for_network(KEYS[5], ARGV[3], KEYS[1], ARGV[1])
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2])
tell_waiting(task[3], ARGV[1])
