"""The ledger's keys in Redis, for the modules that make up the ledger."""

TASK_PREFIX = "recoq:task:"  # + id: hash, the record
INPUTS_PREFIX = "recoq:inputs:"  # + id: list of staged bytes, gone when the task ends
LINES_KEY = "recoq:lines"  # set, the lines in which tasks wait: "<queue>:<account>" (lua/turns.lua has more of them)
WAITING_PREFIX = "recoq:waiting:"  # + line: pending tasks that no worker has claimed, sorted by when last enqueued
PENDING_PREFIX = "recoq:pending:"  # + network: tasks that have not ended, sorted by when they were accepted
PENDING_NETWORKS_KEY = "recoq:pending-networks"  # the networks with such tasks
LEASES_KEY = "recoq:leases"  # claimed tasks, sorted by when their lease runs out
MISSING_KEY = "recoq:missing"  # waiting tasks whose message is not in its queue, sorted by when that was seen first
BACKLOG_KEY = "recoq:backlog"  # hash: pending tasks and staged bytes, in all and by account
DRAINED_PREFIX = "recoq:drained:"  # + period: hash, tasks that ended in it, in all and by account
DEADLINES_KEY = "recoq:deadlines"  # tasks that must have started by then and have not, sorted by it
IDEMPOTENCY_PREFIX = "recoq:idempotency:"  # + account and digest of the key: hash, the task accepted under it
WEBHOOKS_KEY = "recoq:webhook-accounts"  # set, the accounts with ended tasks whose webhook is to be delivered
WEBHOOKS_PREFIX = f"{WEBHOOKS_KEY}:"  # + account: those tasks, sorted by when to try
WEBHOOKS_UNDER_WAY_PREFIX = "recoq:webhooks-under-way:"  # + account: tasks whose webhook is sent, sorted by until when
WEBHOOK_SENDERS_KEY = "recoq:webhook-senders"  # processes that send them, with their threads, sorted by until when
WEBHOOKS_CHANNEL = "recoq:webhooks-due"  # the ids of tasks that end and whose webhook is due
ENDED_PREFIX = "recoq:ended:"  # + watch: channel, the ids of tasks that end and that its process waits for
REGISTRY_STAMP_KEY = "recoq:registry-stamp"  # another one after every change that the API makes in the database
PROBE_KEY = "recoq:probe"  # what readiness writes; it expires
EPOCH_KEY = "recoq:epoch"  # hash: token of the ledger's epoch, and by process the highest ID that it has given out
COUNTER_KEY = "recoq:counter"  # at or above the highest ID
