-- Repositories, their worktrees, who holds them, and the links of shared configuration.
-- min_compatible: 1

CREATE TABLE repos (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    git_dir TEXT NOT NULL, -- the common git folder, links resolved: names the repository
    trunk TEXT NOT NULL, -- the main worktree; '' for a bare repository
    container TEXT NOT NULL, -- the folder in which new worktrees and sync/ lie
    remote TEXT NOT NULL DEFAULT '', -- URL of origin, without secrets
    default_branch TEXT NOT NULL DEFAULT '',
    added_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    UNIQUE (host, git_dir)
) STRICT;

-- Own types; the built-in ones are in the program.
CREATE TABLE worktree_types (
    name TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    base TEXT NOT NULL DEFAULT '', -- what new ones start from; '': the default branch
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `step` is the last step that was done of a creation or removal: a killed one is finished or
-- rolled back from there.
CREATE TABLE worktrees (
    id TEXT NOT NULL PRIMARY KEY,
    repo_id TEXT NOT NULL REFERENCES repos (id),
    name TEXT NOT NULL, -- feat-user-auth: the folder's name
    type TEXT NOT NULL,
    title TEXT NOT NULL, -- as it was typed
    branch TEXT NOT NULL, -- '' when HEAD is detached
    base TEXT NOT NULL, -- branch or commit it was made from
    path TEXT NOT NULL, -- absolute, links resolved
    state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'removing', 'removed')),
    step TEXT NOT NULL DEFAULT '',
    made_branch INTEGER NOT NULL DEFAULT 0, -- 1: the branch did not exist before
    head TEXT NOT NULL DEFAULT '', -- commit it stood at when it was made or removed
    owner TEXT NOT NULL DEFAULT '', -- process that is at it: server_key-like "boot/pid/start"
    pr_number INTEGER,
    pr_title TEXT NOT NULL DEFAULT '',
    pr_url TEXT NOT NULL DEFAULT '',
    pr_branch TEXT NOT NULL DEFAULT '', -- that was made for it: only this one is ever moved to its head
    pr_remote TEXT NOT NULL DEFAULT '', -- name of the remote whose pull request it is
    agent TEXT NOT NULL DEFAULT '', -- who made it
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX worktrees_name ON worktrees (repo_id, name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX worktrees_path ON worktrees (repo_id, path) WHERE removed_at IS NULL;
CREATE INDEX worktrees_by_path ON worktrees (path, removed_at);

-- What a removal kept. The branch tip lives on under `ref`, untracked files in `trash`.
CREATE TABLE removals (
    id TEXT NOT NULL PRIMARY KEY,
    worktree_id TEXT NOT NULL REFERENCES worktrees (id),
    repo_id TEXT NOT NULL REFERENCES repos (id),
    name TEXT NOT NULL,
    branch TEXT NOT NULL,
    head TEXT NOT NULL, -- commit
    ref TEXT NOT NULL, -- refs/zdriver/removed/<id>; '' when nothing had to be kept
    work TEXT NOT NULL DEFAULT '', -- commit of what was changed but not committed; '': nothing was
    trash TEXT NOT NULL, -- absolute folder of untracked files; '': there were none
    forced INTEGER NOT NULL DEFAULT 0,
    agent TEXT NOT NULL DEFAULT '',
    removed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    recovered_at INTEGER,
    expired_at INTEGER
) STRICT;
CREATE INDEX removals_repo ON removals (repo_id, removed_at);

CREATE TABLE worktree_ports (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    worktree_id TEXT NOT NULL REFERENCES worktrees (id),
    variable TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (host, port),
    UNIQUE (worktree_id, variable)
) STRICT, WITHOUT ROWID;

-- Texts of hooks that the user allowed to run.
CREATE TABLE hook_approvals (
    repo_id TEXT NOT NULL REFERENCES repos (id),
    hook TEXT NOT NULL,
    digest TEXT NOT NULL, -- SHA-256 of the hook's text
    at INTEGER NOT NULL,
    PRIMARY KEY (repo_id, hook, digest)
) STRICT, WITHOUT ROWID;

-- Who holds a worktree: the row without `ended_at`. Rows stay as history.
CREATE TABLE claims (
    id TEXT NOT NULL PRIMARY KEY,
    worktree_id TEXT NOT NULL REFERENCES worktrees (id),
    agent TEXT NOT NULL,
    token INTEGER NOT NULL, -- fencing token: grows with every claim of the worktree
    host TEXT NOT NULL,
    pid INTEGER,
    session TEXT NOT NULL DEFAULT '',
    lease INTEGER NOT NULL, -- µs
    claimed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended TEXT NOT NULL DEFAULT '' CHECK (ended IN ('', 'released', 'expired', 'taken')),
    reason TEXT NOT NULL DEFAULT '' -- why it was taken over by force
) STRICT;
CREATE UNIQUE INDEX claims_current ON claims (worktree_id) WHERE ended_at IS NULL;
CREATE INDEX claims_history ON claims (worktree_id, token);

-- The highest token given out.
CREATE TABLE fences (
    worktree_id TEXT NOT NULL PRIMARY KEY REFERENCES worktrees (id),
    token INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who waits, first come, first served. `until` is pushed on while the waiter is still there.
CREATE TABLE claim_waiters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    worktree_id TEXT NOT NULL REFERENCES worktrees (id),
    agent TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
CREATE INDEX claim_waiters_queue ON claim_waiters (worktree_id, seq);

-- What sync/ put into worktrees, so that only this is ever changed or taken away.
CREATE TABLE sync_links (
    worktree_id TEXT NOT NULL REFERENCES worktrees (id),
    path TEXT NOT NULL, -- relative to the worktree
    source TEXT NOT NULL, -- relative to the container: sync/repo/.env
    kind TEXT NOT NULL CHECK (kind IN ('link', 'copy')),
    content TEXT NOT NULL, -- the link's text; of a copy the SHA-256 of what was written
    folders INTEGER NOT NULL DEFAULT 0, -- how many of the folders right above it were made for it
    next TEXT NOT NULL DEFAULT '', -- JSON [source, kind, content] of what is about to take its place
    at INTEGER NOT NULL, -- 0: about to be made
    PRIMARY KEY (worktree_id, path)
) STRICT, WITHOUT ROWID;
