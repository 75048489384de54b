-- Accepts a task: gives it an ID, writes its record and its staged inputs, lists it as waiting, and tells the workers,
-- in one step.
-- Stands after clock.lua, backlog.lua, networks.lua and idempotency.lua.
-- KEYS: counter, waiting index of the queue, backlog, networks with pending tasks, the queue, deadlines,
--       stamp of the registry
-- ARGV: task prefix, inputs prefix, account, kind, queue, request, version ('' for none),
--       limits (JSON), network, pending prefix, message, placeholder of the ID in it,
--       placeholder of the tag in it, options (JSON: seconds until the deadline, idempotency, webhook, channel of
--       whoever waits for the end, stamp under which it is accepted), input bytes ...
-- Returns the ID and 1, or 0 if it was accepted before; or only the name of the limit that kept the task out, or
-- 'conflict' if another one was accepted before, or 'outdated' if the registry has another stamp.
local options = cjson.decode(ARGV[14])
if options.stamp and (redis.call('GET', KEYS[7]) or '') ~= options.stamp then return {'outdated'} end
local before = accepted_before(options.idempotency)
if before == 'conflict' then return {before} end
if before then return {before, 0} end
local bytes = #ARGV[6]
for index = 15, #ARGV do bytes = bytes + #ARGV[index] end
local limit = exceeded_limit(KEYS[3], ARGV[3], bytes, cjson.decode(ARGV[8]))
if limit then return {limit} end
local id, now = redis.call('INCR', KEYS[1]), current_time()
redis.call('HSET', ARGV[1] .. id,
  'account', ARGV[3], 'kind', ARGV[4], 'queue', ARGV[5], 'request', ARGV[6],
  'status', 'pending', 'created', now, 'updated', now, 'attempts', 0, 'version', ARGV[7],
  'bytes', bytes, 'network', ARGV[9])
for index = 15, #ARGV do
  redis.call('RPUSH', ARGV[2] .. id, ARGV[index])
end
redis.call('ZADD', KEYS[2], now, id)
count_in(KEYS[3], ARGV[3], bytes)
list_for_network(KEYS[4], ARGV[10], ARGV[9], id, now)
local message = string.gsub(ARGV[11], ARGV[12], tostring(id))
message = string.gsub(message, ARGV[13], 'first-of-' .. tostring(id))
redis.call('LPUSH', KEYS[5], message)
if options.deadline then
  redis.call('HSET', ARGV[1] .. id, 'deadline', now + options.deadline)
  redis.call('ZADD', KEYS[6], now + options.deadline, id)
end
if options.awaited then redis.call('HSET', ARGV[1] .. id, 'awaited', options.awaited) end
if options.webhook then
  redis.call('HSET', ARGV[1] .. id, 'webhook_url', options.webhook.url, 'webhook_events', options.webhook.events,
    'webhook_status', 'pending', 'webhook_attempts', 0)
end
remember_accepted(options.idempotency, id)
return {tostring(id), 1}
