-- One clock for all hosts: leases, deadlines and dates are set and compared by that of Redis.
-- Stands before the scripts that note or compare times.

-- Returns seconds since the epoch.
local function current_time()
  local seconds, microseconds = unpack(redis.call('TIME'))
  return seconds + microseconds / 1000000
end
