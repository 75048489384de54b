-- Checks that a ledger is the one in which a process may give out its IDs. The IDs themselves come from blocks that are
-- reserved in SQL, so that none is given twice, whatever happens to Redis. The hash of the epoch has the epoch's token,
-- and for each process the highest ID that it has given out: a ledger that has gone back in time has a lower one than
-- the process was told. An issue is {id, epoch, by, seen}; without one, IDs are counted in Redis alone.

-- Returns the highest ID of the process, or nil if the ledger has lost what it had.
local function issued_before(key, issue)
  local known = redis.call('HMGET', key, 'token', issue.by)
  if known[1] ~= issue.epoch or not known[2] or tonumber(known[2]) < issue.seen then return nil end
  return tonumber(known[2])
end

-- Returns the ID of a task that is accepted, and notes that it is given out.
local function issue_id(key, counter, issue, before)
  if not issue then return tostring(redis.call('INCR', counter)) end
  if tonumber(issue.id) > before then redis.call('HSET', key, issue.by, issue.id) end
  return issue.id
end
