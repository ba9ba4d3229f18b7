-- Who holds a worktree of this machine, and who waits for it: no other one uses this store.

-- name: current
SELECT w.id AS worktree_id, w.name AS worktree, w.path, w.branch, w.state, w.removed_at,
    CASE WHEN r.trunk = '' THEN r.git_dir ELSE r.trunk END AS repo,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now) AS waiting,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id) AS places
FROM worktrees w
JOIN repos r ON r.id = w.repo_id
LEFT JOIN claims c ON c.worktree_id = w.id AND c.ended_at IS NULL
WHERE w.id = :worktree_id

-- name: beside
SELECT w.id AS worktree_id, w.name AS worktree, w.path, w.branch, w.state, w.removed_at,
    CASE WHEN r.trunk = '' THEN r.git_dir ELSE r.trunk END AS repo,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now) AS waiting,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id) AS places
FROM worktrees here
JOIN repos r ON r.id = here.repo_id
JOIN worktrees w ON w.repo_id = here.repo_id AND w.name = :name AND w.removed_at IS NULL
LEFT JOIN claims c ON c.worktree_id = w.id AND c.ended_at IS NULL
WHERE here.path = :top AND here.removed_at IS NULL AND r.host = :host

-- name: by_id
SELECT c.worktree_id, w.name AS worktree, w.path,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason, 0 AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
WHERE c.id = :id

-- name: of_token
SELECT c.worktree_id, w.name AS worktree, w.path,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason, 0 AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
WHERE c.worktree_id = :worktree_id AND c.token = :token

-- name: after_token
SELECT agent FROM claims WHERE worktree_id = :worktree_id AND token > :token ORDER BY token LIMIT 1

-- name: live
SELECT c.worktree_id, w.name AS worktree, w.path,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now) AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
WHERE c.ended_at IS NULL AND c.expires_at > :now AND (:worktree_id = '' OR c.worktree_id = :worktree_id)
ORDER BY w.path

-- name: history
SELECT c.worktree_id, w.name AS worktree, w.path,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    CASE WHEN c.ended_at IS NULL
        THEN (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now)
        ELSE 0
    END AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
WHERE :worktree_id = '' OR c.worktree_id = :worktree_id
ORDER BY c.claimed_at DESC, c.token DESC
LIMIT :limit

-- The one statement that decides who holds a worktree: it adds a row, or it adds none.
-- `seq` is the place in the queue of who asks: nobody with an earlier one may wait. The token is greater than
-- all that were given out: the fence says so where claims were lost, and may be written later than they are.

-- name: take
INSERT INTO claims (id, worktree_id, agent, token, host, pid, session, lease, claimed_at, expires_at)
SELECT :id, w.id, :agent,
    MAX(
        COALESCE((SELECT f.token FROM fences f WHERE f.worktree_id = w.id), 0),
        COALESCE((SELECT MAX(c.token) FROM claims c WHERE c.worktree_id = w.id), 0)
    ) + 1,
    :host, CAST(:pid AS BIGINT), :session, :lease, :now, :now + :lease
FROM worktrees w
WHERE w.id = :worktree_id AND w.state = 'ready' AND w.removed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.worktree_id = w.id AND c.ended_at IS NULL)
    AND NOT EXISTS (
        SELECT 1 FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now AND q.seq < :seq
    )
ON CONFLICT (worktree_id) WHERE ended_at IS NULL DO NOTHING
RETURNING token

-- name: settled
SELECT c.worktree_id
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
WHERE c.ended_at IS NULL
    AND (c.expires_at <= :now OR c.expires_at > :now + c.lease OR w.removed_at IS NOT NULL)

-- name: of_processes
SELECT id, worktree_id, pid, lease, expires_at
FROM claims
WHERE host = :host AND ended_at IS NULL AND pid IS NOT NULL

-- name: waiter
SELECT seq, id, worktree_id, agent, since, until FROM claim_waiters WHERE id = :id

-- name: waiter_first
SELECT seq, id, agent, worktree_id, host
FROM claim_waiters
WHERE worktree_id = :worktree_id AND until > :now
ORDER BY seq
LIMIT 1

-- name: waiters_ahead
SELECT count(*) AS ahead
FROM claim_waiters
WHERE worktree_id = :worktree_id AND until > :now AND seq < :seq

-- name: waiters_of
SELECT id FROM claim_waiters WHERE worktree_id = :worktree_id AND agent = :agent

-- name: waiters_gone
DELETE FROM claim_waiters WHERE worktree_id = :worktree_id AND until <= :now
