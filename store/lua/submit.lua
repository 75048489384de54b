-- Accepts a task: gives it an ID, writes its record and its staged inputs, lists it as waiting, and tells the workers,
-- in one step. A task that has ended already is recorded as such, and nothing of it waits anywhere.
-- Stands after clock.lua, backlog.lua, networks.lua, idempotency.lua, ended.lua, webhooks.lua, turns.lua and issue.lua.
-- KEYS: counter, waiting index of the line, backlog, networks with pending tasks, the line, deadlines,
--       stamp of the registry, webhooks, epoch
-- ARGV: task prefix, inputs prefix, account, kind, line, request, version ('' for none),
--       limits (JSON), network, pending prefix, message, placeholder of the ID in it,
--       placeholder of the tag in it, options (JSON: cost, seconds until the deadline, idempotency, webhook, channel of
--       whoever waits for the end, stamp under which it is accepted; of a task that has ended: its error, seconds for
--       which it is kept, the same with a webhook, channel of webhooks; issue of its ID), input bytes ...
-- Returns the ID and 1, or 0 if it was accepted before; or only the name of the limit that kept the task out, or
-- 'conflict' if another one was accepted before, or 'outdated' if the registry has another stamp, or 'lost' if the
-- ledger is not the one that the ID is for.
local options = cjson.decode(ARGV[14])
local issued = options.issue and issued_before(KEYS[9], options.issue)
if options.issue and not issued then return {'lost'} end
if options.stamp and (redis.call('GET', KEYS[7]) or '') ~= options.stamp then return {'outdated'} end
local before = accepted_before(options.idempotency)
if before == 'conflict' then return {before} end
if before then return {before, 0} end
local bytes = #ARGV[6]
for index = 15, #ARGV do bytes = bytes + #ARGV[index] end
local limit = not options.ended and exceeded_limit(KEYS[3], ARGV[3], bytes, cjson.decode(ARGV[8]))
if limit then return {limit} end
local id, now = issue_id(KEYS[9], KEYS[1], options.issue, issued), current_time()
local key = ARGV[1] .. id
redis.call('HSET', key,
  'account', ARGV[3], 'kind', ARGV[4], 'queue', ARGV[5], 'created', now, 'updated', now, 'attempts', 0,
  'version', ARGV[7], 'network', ARGV[9])
if options.webhook then
  redis.call('HSET', key, 'webhook_url', options.webhook.url, 'webhook_events', options.webhook.events,
    'webhook_status', 'pending', 'webhook_attempts', 0)
end
remember_accepted(options.idempotency, id)
if options.ended then
  redis.call('HSET', key, 'status', 'error', 'error', options.ended.error)
  redis.call('EXPIRE', key, options.ended.kept)
  order_delivery(key, KEYS[8], options.ended.channel, id, 'error', now, options.ended.kept_with_webhook)
  tell_waiting(options.awaited, id)
  return {id, 1}
end
redis.call('HSET', key, 'request', ARGV[6], 'status', 'pending', 'bytes', bytes, 'cost', options.cost)
for index = 15, #ARGV do
  redis.call('RPUSH', ARGV[2] .. id, ARGV[index])
end
redis.call('ZADD', KEYS[2], now, id)
count_in(KEYS[3], ARGV[3], bytes)
list_for_network(KEYS[4], ARGV[10], ARGV[9], id, now)
local message = string.gsub(ARGV[11], ARGV[12], id)
message = string.gsub(message, ARGV[13], 'first-of-' .. id)
join_line(parts_of(KEYS[5]), ARGV[3], options.cost .. ' ' .. message)
if options.deadline then
  redis.call('HSET', key, 'deadline', now + options.deadline)
  redis.call('ZADD', KEYS[6], now + options.deadline, id)
end
if options.awaited then redis.call('HSET', key, 'awaited', options.awaited) end
return {id, 1}
