-- Which machines share this store, and what is the same work on each of them (SQLite's migration 7).
-- min_compatible: 1

CREATE TABLE hosts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL, -- as the machine calls itself
    at BIGINT NOT NULL -- since when it is called so
);

-- One form for every way to write the remote; '': none. Worktrees of one name in repositories of one
-- identity are the same work: who holds it holds it on every machine.
ALTER TABLE repos ADD COLUMN identity TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX repos_identity ON repos (identity) WHERE identity <> '';
CREATE INDEX worktrees_work ON worktrees (repo_id, name);

ALTER TABLE claim_waiters ADD COLUMN host TEXT COLLATE "C" NOT NULL DEFAULT ''; -- on which machine it waits

-- The worktrees that are the same work as this one, it among them; those that were removed, too. In PL/pgSQL,
-- which plans it once per connection: in SQL it would be planned anew wherever it is used, for milliseconds,
-- and claims might be looked through one by one.
CREATE FUNCTION same_work(worktree TEXT) RETURNS TABLE (id TEXT, removed_at BIGINT)
LANGUAGE plpgsql STABLE ROWS 2 AS $$
BEGIN
    RETURN QUERY
    SELECT w.id, w.removed_at FROM worktrees w WHERE w.id = worktree
    UNION ALL
    SELECT t.id, t.removed_at
    FROM worktrees w
    JOIN repos r ON r.id = w.repo_id
    JOIN repos s ON s.identity = r.identity AND s.identity <> ''
    JOIN worktrees t ON t.repo_id = s.id AND t.name = w.name AND t.id <> w.id
    WHERE w.id = worktree;
END
$$;
