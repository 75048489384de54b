-- Notes that someone waits for the end of a task, so that it will be published on that one's channel.
-- KEYS: task    ARGV: channel
-- Returns 1 if the task is pending, else 0.
local task = redis.call('HMGET', KEYS[1], 'status', 'awaited')
if task[1] ~= 'pending' then return 0 end
local channels = task[2] or ''
if not string.find(channels, ARGV[1], 1, true) then
  redis.call('HSET', KEYS[1], 'awaited', channels .. ' ' .. ARGV[1])
end
return 1
