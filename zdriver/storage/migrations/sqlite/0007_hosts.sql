-- Several machines on one store: which they are, and what is the same work on each of them.
-- min_compatible: 1

CREATE TABLE hosts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL, -- as the machine calls itself
    at INTEGER NOT NULL -- since when it is called so
) STRICT, WITHOUT ROWID;

-- One form for every way to write the remote. '': none, or a store of one machine. Worktrees of one
-- name in repositories of one identity are the same work: who holds it holds it on every machine.
ALTER TABLE repos ADD COLUMN identity TEXT NOT NULL DEFAULT '';
CREATE INDEX repos_identity ON repos (identity) WHERE identity <> '';

ALTER TABLE claim_waiters ADD COLUMN host TEXT NOT NULL DEFAULT ''; -- on which machine it waits
