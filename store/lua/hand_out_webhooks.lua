-- Hands out deliveries that are due, and puts them off, so that each goes to one sender; one that is lost comes again.
-- An account gets no more than leave as many threads free as it holds, so that receivers that hang, of however many
-- accounts, never hold all of them. Who holds the fewest comes first, and then who has waited for longest.
-- Stands after clock.lua.
-- KEYS: accounts with deliveries, senders
-- ARGV: sender, its threads, how long it counts (seconds), due again in (seconds), prefixes of deliveries and of those
--       under way
-- Returns the accounts and ids of the tasks, in turn, and whether more are due.
local now = current_time()
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2] .. ':' .. ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local free = 0
for _, sender in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  free = free + tonumber(string.match(sender, '^%d+'))
end

local function note_first_due(account)
  account.due, account.since = unpack(
    redis.call('ZRANGEBYSCORE', account.deliveries, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1))
  account.since = tonumber(account.since)
end

local accounts = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local account = {id = id, deliveries = ARGV[5] .. id, under_way = ARGV[6] .. id}
  redis.call('ZREMRANGEBYSCORE', account.under_way, '-inf', now)
  account.held = redis.call('ZCARD', account.under_way)
  free = free - account.held
  note_first_due(account)
  if account.due then
    table.insert(accounts, account)
  elseif redis.call('EXISTS', account.deliveries, account.under_way) == 0 then
    redis.call('SREM', KEYS[1], id)
  end
end

local function next_account()
  local found
  for _, each in ipairs(accounts) do
    if each.due and (not found or each.held < found.held or each.held == found.held and each.since < found.since) then
      found = each
    end
  end
  return found
end

local handed_out, account = {}, next_account()
while account and account.held < free do
  table.insert(handed_out, account.id)
  table.insert(handed_out, account.due)
  redis.call('ZADD', account.deliveries, now + ARGV[4], account.due)
  redis.call('ZADD', account.under_way, now + ARGV[4], account.due)
  account.held, free = account.held + 1, free - 1
  note_first_due(account)
  account = next_account()
end
return {handed_out, account and 1 or 0}
