-- Forgets a task as if it had never been accepted.
-- KEYS: task, inputs, leases    ARGV: id, waiting prefix
local queue = redis.call('HGET', KEYS[1], 'queue')
if queue then redis.call('ZREM', ARGV[2] .. queue, ARGV[1]) end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2])
