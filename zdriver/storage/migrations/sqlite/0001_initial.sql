-- The first schema: contexts with their entries, events, snapshots, requests.
-- Times are microseconds since the epoch, UTC; ids are UUIDv7 as text.
-- min_compatible: 1

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contexts (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    zellij_session TEXT NOT NULL,
    root TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
-- Never two open ones for one root in one Zellij session.
CREATE UNIQUE INDEX contexts_open ON contexts (host, zellij_session, root) WHERE closed_at IS NULL;
CREATE INDEX contexts_root ON contexts (root);

-- Intents and milestones. `seq` is the order in which they were committed.
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    context_id TEXT NOT NULL REFERENCES contexts (id),
    type TEXT NOT NULL CHECK (type IN ('intent', 'milestone')),
    text TEXT NOT NULL,
    source TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT,
    artifacts TEXT NOT NULL DEFAULT '[]',
    commit_id TEXT,
    intent_id TEXT,
    ended_at INTEGER, -- intents: replaced or cleared
    undone_at INTEGER -- milestones: taken back, no longer shown
) STRICT;
CREATE INDEX entries_context ON entries (context_id, type, seq);
CREATE UNIQUE INDEX entries_current ON entries (context_id, type) WHERE type = 'intent' AND ended_at IS NULL;

-- Search words of entries, by their `seq`. Words are made by zdriver.core.tokens: the
-- tokeniser here must only split at spaces. It keeps its words, so that it can be rebuilt.
CREATE VIRTUAL TABLE search USING fts5 (
    words, tokenize = 'ascii', prefix = '1 2 3', detail = none, columnsize = 0
);

-- What happened, for ever. Only `forget` touches a row again, and only its payload's texts.
-- Few indexes: each would cost every save a page of the log.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    aggregate TEXT NOT NULL,
    aggregate_seq INTEGER NOT NULL,
    subject TEXT NOT NULL, -- the payload's `id`
    at INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    UNIQUE (aggregate, aggregate_seq)
) STRICT;

CREATE TABLE deliveries (
    sink TEXT NOT NULL,
    sequence INTEGER NOT NULL REFERENCES events (sequence),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (sink, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    key TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    result TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE blobs (
    key TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the content, in hex
    data BLOB NOT NULL -- zlib
) STRICT;

CREATE TABLE snapshots (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT NOT NULL,
    zellij_session TEXT NOT NULL,
    root TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    tabs INTEGER NOT NULL,
    panes INTEGER NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    digest TEXT NOT NULL,
    content TEXT NOT NULL REFERENCES blobs (key),
    size INTEGER NOT NULL -- bytes stored for it alone
) STRICT;
CREATE INDEX snapshots_session ON snapshots (host, zellij_session, generation);
CREATE INDEX snapshots_root ON snapshots (host, root, generation);
CREATE INDEX snapshots_content ON snapshots (content);

-- Scrollback a snapshot's panes name.
CREATE TABLE snapshot_blobs (
    generation INTEGER NOT NULL REFERENCES snapshots (generation) ON DELETE CASCADE,
    key TEXT NOT NULL REFERENCES blobs (key),
    PRIMARY KEY (generation, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_blobs_key ON snapshot_blobs (key);
