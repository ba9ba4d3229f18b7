-- The archive: what any number of stores have told it, each under its own id. Read it with any client.
-- min_compatible: 1

-- How far each store's history is here. It changes in the transaction that brings the rows.
CREATE TABLE archive_stores (
    store text PRIMARY KEY,
    batch bigint NOT NULL DEFAULT 0, -- grows by one per transaction; rows bear the one that wrote them
    cursor bigint NOT NULL DEFAULT 0, -- `sequence` of the last event that was looked at
    event text NOT NULL DEFAULT '', -- and its id: a store that was recovered has another one there
    stage text NOT NULL DEFAULT 'begin', -- table that the first pass is at; '': it is over
    reached text NOT NULL DEFAULT '', -- last key of that table which is here
    until bigint NOT NULL DEFAULT 0, -- newest event when the first pass began
    until_event text NOT NULL DEFAULT '',
    archived_at timestamptz -- when everything was here for the last time
);

CREATE TABLE archive_hosts (
    host text PRIMARY KEY, -- zdriver's id of a machine
    name text NOT NULL, -- what it calls itself
    seen_at timestamptz NOT NULL
);

-- Intents and milestones, each with where it was said.
CREATE TABLE archive_entries (
    store text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    text text NOT NULL,
    kind text,
    artifacts json NOT NULL,
    commit_id text,
    source text NOT NULL,
    at timestamptz NOT NULL,
    intent_id text,
    ended_at timestamptz,
    undone_at timestamptz,
    context_id text NOT NULL,
    host text NOT NULL,
    zellij_session text NOT NULL,
    root text NOT NULL,
    repo text NOT NULL, -- its remote, in the one form of all ways to write it; '' where there is none
    words tsvector NOT NULL, -- made by zdriver.core.tokens, the same as in the store
    batch bigint NOT NULL,
    PRIMARY KEY (store, id)
);
CREATE INDEX archive_entries_at ON archive_entries (at DESC, id DESC) WHERE undone_at IS NULL;
CREATE INDEX archive_entries_words ON archive_entries USING gin (words);
CREATE INDEX archive_entries_root ON archive_entries (root text_pattern_ops, at DESC);
CREATE INDEX archive_entries_repo ON archive_entries (repo, at DESC) WHERE repo <> '';
CREATE INDEX archive_entries_host ON archive_entries (host, at DESC);
CREATE INDEX archive_entries_context ON archive_entries (store, context_id);

-- Generations of panes: when, where and how many; their content stays with the store.
CREATE TABLE archive_snapshots (
    store text NOT NULL,
    generation bigint NOT NULL,
    taken_at timestamptz NOT NULL, -- part of the key: a store that was recovered gives numbers again
    host text NOT NULL,
    zellij_session text NOT NULL,
    root text NOT NULL,
    reason text NOT NULL,
    tabs integer NOT NULL,
    panes integer NOT NULL,
    pinned boolean NOT NULL,
    digest text NOT NULL,
    size bigint NOT NULL,
    batch bigint NOT NULL,
    PRIMARY KEY (store, generation, taken_at)
);
CREATE INDEX archive_snapshots_root ON archive_snapshots (root text_pattern_ops, taken_at DESC);

CREATE TABLE archive_claims (
    store text NOT NULL,
    id text NOT NULL,
    worktree_id text NOT NULL,
    worktree text NOT NULL,
    path text NOT NULL,
    repo text NOT NULL,
    agent text NOT NULL,
    token bigint NOT NULL,
    host text NOT NULL,
    pid bigint,
    session text NOT NULL,
    claimed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended text NOT NULL,
    reason text NOT NULL,
    batch bigint NOT NULL,
    PRIMARY KEY (store, id)
);
CREATE INDEX archive_claims_worktree ON archive_claims (store, worktree_id, token);
CREATE INDEX archive_claims_at ON archive_claims (claimed_at DESC);

CREATE TABLE archive_events (
    store text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL, -- place in the store's log
    type text NOT NULL,
    aggregate text NOT NULL,
    aggregate_seq bigint NOT NULL,
    subject text NOT NULL,
    at timestamptz NOT NULL,
    envelope json NOT NULL, -- as it was committed, to the byte
    batch bigint NOT NULL,
    PRIMARY KEY (store, id)
);
CREATE INDEX archive_events_aggregate ON archive_events (store, aggregate, aggregate_seq);
CREATE INDEX archive_events_at ON archive_events (at DESC);

-- What came over RabbitMQ, once per event (`zdriver events audit`).
CREATE TABLE audit (
    event_id text PRIMARY KEY,
    type text NOT NULL,
    aggregate text NOT NULL,
    aggregate_seq bigint,
    at timestamptz NOT NULL,
    envelope json NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_aggregate ON audit (aggregate, aggregate_seq);
CREATE INDEX audit_at ON audit (at DESC);
