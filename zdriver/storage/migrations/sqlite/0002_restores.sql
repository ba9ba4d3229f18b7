-- What restoring has to remember: Zellij servers seen, restores made, offers declined.
-- min_compatible: 1

-- One row per Zellij server process. `key` is boot id, pid and start time, so that it
-- never means another process.
CREATE TABLE zellij_servers (
    key TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    name TEXT NOT NULL, -- of its Zellij session
    pid INTEGER NOT NULL,
    root TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    decided INTEGER NOT NULL DEFAULT 0, -- whether what to do at its opening was settled
    ended_at INTEGER,
    crashed INTEGER -- 1: it was killed or the machine went down, 0: closed by its user
) STRICT, WITHOUT ROWID;
CREATE INDEX zellij_servers_name ON zellij_servers (host, name, opened_at);

CREATE TABLE restores (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    server TEXT NOT NULL REFERENCES zellij_servers (key), -- restored into
    source TEXT NOT NULL, -- Zellij session that the snapshot was taken of
    generation INTEGER NOT NULL,
    root TEXT NOT NULL,
    panes TEXT NOT NULL, -- JSON: terminal ids made, with what became of each
    restored INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    at INTEGER NOT NULL,
    undone_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX restores_server ON restores (server, at);
CREATE INDEX restores_source ON restores (host, source, generation);

-- Offers that were declined: never made again.
CREATE TABLE dismissals (
    host TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (host, generation)
) STRICT, WITHOUT ROWID;
