-- Machines on one store, and what is the same work on each of them (migration 7).

-- name: named
SELECT name FROM hosts WHERE id = :id

-- name: put
INSERT INTO hosts (id, name, at) VALUES (:id, :name, :at)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, at = excluded.at

-- name: repos
SELECT id, remote, identity FROM repos WHERE host = :host

-- name: identify
UPDATE repos SET identity = :identity WHERE id = :id AND identity <> :identity

-- Worktrees of other clones of one repository, wherever they are.

-- name: elsewhere
SELECT w.id, w.repo_id, w.name, w.type, w.title, w.branch, w.base, w.path, w.state, w.step, w.made_branch,
    w.head, w.owner, w.pr_number, w.pr_title, w.pr_url, w.agent, w.created_at, w.used_at, w.removed_at,
    r.host, r.git_dir, r.trunk, r.container, r.remote, r.default_branch, COALESCE(h.name, '') AS hostname,
    c.id AS claim_id, c.agent AS claim_agent, c.token AS claim_token, c.host AS claim_host,
    c.pid AS claim_pid, c.session AS claim_session, c.lease, c.claimed_at, c.expires_at,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now) AS waiting
FROM repos here
JOIN repos r ON r.identity = here.identity AND r.identity <> '' AND r.id <> here.id
JOIN worktrees w ON w.repo_id = r.id AND w.removed_at IS NULL
LEFT JOIN hosts h ON h.id = r.host
LEFT JOIN claims c ON c.worktree_id = w.id AND c.ended_at IS NULL AND c.expires_at > :now
WHERE here.id = :repo_id AND (:name = '' OR w.name = :name OR w.name = w.type || '-' || :name)
ORDER BY h.name, r.id, w.type <> 'trunk', w.name

-- name: elsewhere_intents
SELECT x.host, x.root, e.text
FROM repos here
JOIN repos r ON r.identity = here.identity AND r.identity <> '' AND r.id <> here.id
JOIN worktrees w ON w.repo_id = r.id AND w.removed_at IS NULL
JOIN contexts x ON x.root = w.path AND x.host = r.host AND x.closed_at IS NULL
JOIN entries e ON e.context_id = x.id AND e.type = 'intent' AND e.ended_at IS NULL
WHERE here.id = :repo_id
ORDER BY e.at
