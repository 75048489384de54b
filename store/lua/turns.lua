-- The rule of turns between accounts, as store/turns.py states it. Stands before the scripts that put tasks into queues
-- and take them out.
--
-- In each queue, an account has a line: a list of elements, the oldest last. An element is what the task costs, then
-- its message: 'seconds decoding_seconds message'. 'recoq:turns:<queue>' ranks the accounts that have a line by the
-- seconds that they have been given, and 'recoq:spent:<queue>' remembers those of accounts that have none at the moment.
local TURNS, SPENT, LINES, WAKE = 'recoq:turns:', 'recoq:spent:', 'recoq:lines', 'recoq:wake'
local COST = '^([%d.]+) ([%d.]+) '

local function line_of(queue, account) return queue .. ':' .. account end

-- Returns queue and account of a line.
local function parts_of(line) return string.match(line, '^(.*):([^:]*)$') end

-- Returns the seconds of an element, and those of decoding alone.
local function cost_of(element)
  local seconds, decoding = string.match(element, COST)
  return tonumber(seconds) or 0, tonumber(decoding) or 0
end

local function message_of(element) return (string.gsub(element, COST, '', 1)) end

-- Has one idle worker look for tasks; each leaves word for the next one, as long as there are any.
local function wake_a_worker()
  if redis.call('EXISTS', WAKE) == 0 then redis.call('LPUSH', WAKE, 1) end
end

-- Ranks an account that has a line from now on: it has not saved up the time in which it wanted nothing.
local function rank(queue, account)
  if redis.call('ZSCORE', TURNS .. queue, account) then return end
  local first = redis.call('ZRANGE', TURNS .. queue, 0, 0, 'WITHSCORES')
  local spent = redis.call('HGET', SPENT .. queue, account)
  if spent then redis.call('HDEL', SPENT .. queue, account) end
  local seconds = math.max(tonumber(first[2] or 0), tonumber(spent or 0))
  redis.call('ZADD', TURNS .. queue, string.format('%.6f', seconds), account)
  redis.call('SADD', LINES, line_of(queue, account))
end

-- Puts an element at the end of its account's line.
local function join_line(queue, account, element)
  redis.call('LPUSH', line_of(queue, account), element)
  rank(queue, account)
  wake_a_worker()
end

-- Charges an account for what it has been given; negative, if it was less than it was charged for before.
local function charge(queue, account, seconds)
  if redis.call('ZSCORE', TURNS .. queue, account) then
    redis.call('ZINCRBY', TURNS .. queue, string.format('%.6f', seconds), account)
  elseif redis.call('HEXISTS', SPENT .. queue, account) == 1 then
    redis.call('HINCRBYFLOAT', SPENT .. queue, account, string.format('%.6f', seconds))
  end
end

-- Takes an account whose line has become empty out of the ranks. When nobody waits any more, all begin anew.
local function leave_if_empty(queue, account)
  if redis.call('EXISTS', line_of(queue, account)) == 1 then return end
  local seconds = redis.call('ZSCORE', TURNS .. queue, account)
  redis.call('ZREM', TURNS .. queue, account)
  if redis.call('EXISTS', TURNS .. queue) == 0 then
    redis.call('DEL', SPENT .. queue)
  elseif seconds then
    redis.call('HSET', SPENT .. queue, account, seconds)
  end
end

-- Returns the account whose turn it is, of those for whose next element ``is_possible`` returns true.
local function next_turn(queue, is_possible)
  local start, step = 0, 16
  while true do
    local ranked = redis.call('ZRANGE', TURNS .. queue, start, start + step - 1)
    if #ranked == 0 then return nil end
    for _, account in ipairs(ranked) do
      local element = redis.call('LINDEX', line_of(queue, account), -1)
      if not element then
        leave_if_empty(queue, account)
      elseif is_possible(account, element) then
        return account
      end
    end
    start = start + step
  end
end
