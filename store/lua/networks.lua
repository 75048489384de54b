-- Lists pending tasks by network, so that the work for each is known. Stands before the scripts that accept and end tasks.

local function list_for_network(networks, pending_prefix, network, id, now)
  redis.call('ZADD', pending_prefix .. network, now, id)
  redis.call('SADD', networks, network)
end

-- To be called while the task's record is still there.
local function unlist_for_network(networks, pending_prefix, task, id)
  local network = redis.call('HGET', task, 'network')
  local pending = pending_prefix .. network
  redis.call('ZREM', pending, id)
  if redis.call('EXISTS', pending) == 0 then redis.call('SREM', networks, network) end
end
