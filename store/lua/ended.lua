-- Tells those who wait for a task that it has ended or is gone. Stands before the scripts that end tasks.

-- ``channels`` is the field 'awaited' of the task's record: one channel for each process that waits.
local function tell_waiting(channels, id)
  if not channels then return end
  for channel in string.gmatch(channels, '%S+') do redis.call('PUBLISH', channel, id) end
end
