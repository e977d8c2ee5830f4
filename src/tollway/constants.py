"""Limits and times that are not settings. Each name carries its unit, each value its reason."""

KEY_CACHE_ENTRIES = 50_000
"""Known keys held per worker: about 40 MB at the most, far above the keys of one installation."""
UNKNOWN_KEY_CACHE_ENTRIES = 10_000
"""Digests of keys known not to exist, so that a flood of one wrong key does not reach the database."""
UNKNOWN_KEY_TTL_S = 5.0
"""How long a key is believed not to exist: a key created elsewhere works after this at the latest (usually at once)."""
KEY_LOOKUP_TIMEOUT_S = 3.0
"""A caller whose key is not in memory waits so long for the database; a look-up takes a millisecond."""
CATALOG_SWEEP_INTERVAL_S = 15.0
"""The catalog and the cached keys are read again this often, in case a notification was lost."""
DISCONNECT_WATCH_DELAY_S = 0.05
"""A request that has waited this long for upstream also watches for its caller leaving; faster ones save the task."""
BYTES_PER_TOKEN = 4
"""Of text, on the average of English: an estimate, where nobody has counted."""
SSE_EVENT_MAX_BYTES = 1024 * 1024
"""Longest single event of a stream that is searched for usage; longer ones pass by unread."""
TAGS_MAX = 32
"""Tags of one request; OpenAI allows 16 metadata pairs, the header may add as many."""
TAG_NAME_MAX_CHARS = 64
TAG_VALUE_MAX_CHARS = 512
"""OpenAI's limits for `metadata`."""
OWN_TAGS = "tollway."
"""How the names of the tags begin that Tollway itself gives: callers give none of them."""
SHADOW_TAG = f"{OWN_TAGS}shadow"
"""Tag of the entry of a shadow, by which reports tell it from answers; its value is the entry id of what it copied."""
BATCH_TAG = f"{OWN_TAGS}batch"
"""Tag of the entries of a batch's results; its value is the batch's id."""
RUN_SPARE_S = 120.0
"""What a request may take beside its exchange with the provider: queues, connecting, counting."""
IDEMPOTENCY_TTL_S = 86_400
"""What was answered under an idempotency key is replayed for 24 hours, the time that other services promise."""
APP_ROLE = "tollway_app"
"""The role under which everything but migrations runs: it may append to the ledger and never change it."""
NOTIFY_CHANNEL = "tollway_changes"
"""PostgreSQL channel on which every change of the control plane is announced: ``<noun>:<id>``."""
WORKER_HEARTBEAT_S = 5.0
"""A worker without anything to ask shows itself to the database this often."""
WORKER_UNSEEN_S = 15.0
"""A worker that was not seen for so long, three heartbeats, has no part in what is shared out."""
RECOVERY_S = 10.0
"""After a failover nothing is leased for so long: two heartbeats, in which every worker tells what it has."""
LEASE_TIMEOUT_S = 2.0
"""How long an exchange of leases may take before the database counts as away."""
LEASE_CONNECTIONS = 2
"""To the database, of a worker for its leases alone: one that exchanges; the other where the first was given up."""
LEASES_MAX = 50_000
"""Leases in a worker's memory, at about a kilobyte each. Idle ones are forgotten: they are of subjects seen lately."""
COUNTS_WAITING_MAX = 64
"""Counts of tokens that run or wait in a worker: the tokenizer takes a tenth of a second for a megabyte, so these take
some seconds of its thread, if each is as large as a body may be."""
COUNTS_OWN_MAX = 16
"""Of one organization: whoever sends more at a time leaves places to the others."""
