-- Finds pending tasks that were not started before their deadline; each is found once. Stands after clock.lua.
-- KEYS: deadlines
-- ARGV: task prefix, most tasks
-- Returns their ids.
local overdue = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', current_time(), 'LIMIT', 0, ARGV[2])) do
  redis.call('ZREM', KEYS[1], id)
  local task = redis.call('HMGET', ARGV[1] .. id, 'status', 'attempts')
  if task[1] == 'pending' and task[2] == '0' then overdue[#overdue + 1] = id end
end
return overdue
