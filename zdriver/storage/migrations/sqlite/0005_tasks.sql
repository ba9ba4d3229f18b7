-- What agents are to do, as it was assigned from elsewhere.
-- min_compatible: 1

CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY, -- of the event it came with
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    repo TEXT NOT NULL,
    worktree TEXT NOT NULL,
    agent TEXT NOT NULL, -- who is to do it; '': whoever takes it
    origin TEXT NOT NULL, -- who assigned it: app@host
    payload TEXT NOT NULL, -- JSON: all that came with it, without secrets
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'taken', 'done')),
    added_at INTEGER NOT NULL,
    holder TEXT NOT NULL DEFAULT '', -- the agent that has, or had, it
    taken_at INTEGER,
    expires_at INTEGER, -- of who has it
    done_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0 -- grows each time it is taken: names the holder's turn
) STRICT;
CREATE INDEX tasks_open ON tasks (added_at, id) WHERE state <> 'done';
CREATE INDEX tasks_newest ON tasks (added_at, id);
