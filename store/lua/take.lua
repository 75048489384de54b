-- Takes tasks out of a queue for one worker: those of the account whose turn it is, as many as one thread runs together.
-- Stands after when_full.lua and turns.lua.
-- ARGV: most tasks, most of them that are heavy, seconds of decoding that make a task heavy, those of tasks that run
--       together, number of queues, queues in the order in which to look ..., accounts that are left out ...
-- Returns whether more wait; and then, if there is something for this worker, queue, account and elements, oldest first.
go_on_when_full()
local most, most_heavy, heavy_seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local together_seconds, count = tonumber(ARGV[4]), tonumber(ARGV[5])
local left_out, ranks = {}, {}
for index = 6 + count, #ARGV do left_out[ARGV[index]] = true end
for index = 6, 5 + count do ranks[#ranks + 1] = TURNS .. ARGV[index] end

local function is_possible(account, element)
  if left_out[account] then return false end
  local _, decoding = cost_of(element)
  return decoding < heavy_seconds or most_heavy > 0
end

-- A heavy task comes alone: in one thread, the others would wait until it is decoded.
local function take_from(line)
  local taken, seconds, decoding = {}, 0, 0
  while #taken < most do
    local element = redis.call('LINDEX', line, -1)
    if not element then break end
    local its_seconds, its_decoding = cost_of(element)
    if #taken > 0 and (its_decoding >= heavy_seconds or decoding + its_decoding > together_seconds) then break end
    redis.call('RPOP', line)
    taken[#taken + 1] = element
    seconds, decoding = seconds + its_seconds, decoding + its_decoding
    if its_decoding >= heavy_seconds then break end
  end
  return taken, seconds
end

local answer = {0}
for index = 6, 5 + count do
  local queue = ARGV[index]
  local account = next_turn(queue, is_possible)
  if account then
    local taken, seconds = take_from(line_of(queue, account))
    charge(queue, account, seconds)
    leave_if_empty(queue, account)
    answer = {0, queue, account, unpack(taken)}
    break
  end
end
if redis.call('EXISTS', unpack(ranks)) > 0 then
  wake_a_worker()
  answer[1] = 1
else
  redis.call('DEL', WAKE)
end
return answer
