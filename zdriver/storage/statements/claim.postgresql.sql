-- Who holds a worktree, and who waits for it, where several machines use the store.
--
-- Worktrees of one name in clones of one remote are the same work (`same_work`, migration 2): whoever
-- holds one of them holds the work, there is one queue for it, and its tokens only grow, also when a
-- worktree is removed and made anew. All that changes it is done under one lock, named by `key`.

-- name: current
SELECT COALESCE(c.worktree_id, w.id) AS worktree_id, w.name AS worktree, COALESCE(c.path, w.path) AS path,
    CASE WHEN c.id IS NULL THEN w.branch ELSE c.branch END AS branch, w.state,
    CASE WHEN c.id IS NULL THEN w.removed_at ELSE c.removed_at END AS removed_at,
    COALESCE(c.repo, CASE WHEN r.trunk = '' THEN r.git_dir ELSE r.trunk END) AS repo,
    w.id AS own_worktree_id, w.path AS own_path, w.branch AS own_branch, w.removed_at AS own_removed_at,
    CASE WHEN r.trunk = '' THEN r.git_dir ELSE r.trunk END AS own_repo,
    CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, c.hostname,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    (SELECT count(*) FROM same_work(w.id) t JOIN claim_waiters q ON q.worktree_id = t.id WHERE q.until > :now) AS waiting,
    (SELECT count(*) FROM same_work(w.id) t JOIN claim_waiters q ON q.worktree_id = t.id) AS places
FROM worktrees w
JOIN repos r ON r.id = w.repo_id
LEFT JOIN LATERAL (
    SELECT n.*, v.path, v.branch, v.removed_at, CASE WHEN s.trunk = '' THEN s.git_dir ELSE s.trunk END AS repo,
        COALESCE(h.name, '') AS hostname
    FROM same_work(w.id) t
    JOIN claims n ON n.worktree_id = t.id AND n.ended_at IS NULL
    JOIN worktrees v ON v.id = t.id
    JOIN repos s ON s.id = v.repo_id
    LEFT JOIN hosts h ON h.id = n.host
    WHERE t.removed_at IS NULL OR t.id = w.id
    ORDER BY n.worktree_id <> w.id
    LIMIT 1
) c ON TRUE
WHERE w.id = :worktree_id

-- name: beside
SELECT w.id AS asked_id, COALESCE(c.worktree_id, w.id) AS worktree_id, w.name AS worktree,
    COALESCE(c.path, w.path) AS path,
    CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, c.hostname,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    (SELECT count(*) FROM same_work(w.id) t JOIN claim_waiters q ON q.worktree_id = t.id WHERE q.until > :now) AS waiting
FROM worktrees here
JOIN repos r ON r.id = here.repo_id
JOIN worktrees w ON w.repo_id = here.repo_id AND w.name = :name AND w.removed_at IS NULL
LEFT JOIN LATERAL (
    SELECT n.*, v.path, v.branch, v.removed_at, CASE WHEN s.trunk = '' THEN s.git_dir ELSE s.trunk END AS repo,
        COALESCE(h.name, '') AS hostname
    FROM same_work(w.id) t
    JOIN claims n ON n.worktree_id = t.id AND n.ended_at IS NULL
    JOIN worktrees v ON v.id = t.id
    JOIN repos s ON s.id = v.repo_id
    LEFT JOIN hosts h ON h.id = n.host
    WHERE t.removed_at IS NULL OR t.id = w.id
    ORDER BY n.worktree_id <> w.id
    LIMIT 1
) c ON TRUE
WHERE here.path = :top AND here.removed_at IS NULL AND r.host = :host

-- name: by_id
SELECT c.worktree_id, w.name AS worktree, w.path,
    CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, h.name AS hostname,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason, 0 AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
JOIN repos r ON r.id = w.repo_id
LEFT JOIN hosts h ON h.id = c.host
WHERE c.id = :id

-- name: of_token
SELECT c.worktree_id, w.name AS worktree, w.path, h.name AS hostname,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason, 0 AS waiting
FROM same_work(:worktree_id) t
JOIN claims c ON c.worktree_id = t.id AND c.token = :token
JOIN worktrees w ON w.id = c.worktree_id
LEFT JOIN hosts h ON h.id = c.host
ORDER BY c.claimed_at DESC
LIMIT 1

-- name: after_token
SELECT c.agent
FROM same_work(:worktree_id) t
JOIN claims c ON c.worktree_id = t.id AND c.token > :token
ORDER BY c.token
LIMIT 1

-- name: live
SELECT c.worktree_id, w.name AS worktree, w.path, h.name AS hostname,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    (SELECT count(*) FROM same_work(w.id) t JOIN claim_waiters q ON q.worktree_id = t.id WHERE q.until > :now) AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
JOIN repos r ON r.id = w.repo_id
LEFT JOIN hosts h ON h.id = c.host
WHERE c.ended_at IS NULL AND c.expires_at > :now
    AND (:worktree_id = '' OR c.worktree_id IN (SELECT t.id FROM same_work(:worktree_id) t))
ORDER BY w.path, h.name

-- name: history
SELECT c.worktree_id, w.name AS worktree, w.path, h.name AS hostname,
    c.id, c.agent, c.token, c.host, c.pid, c.session, c.lease, c.claimed_at, c.expires_at,
    c.ended_at, c.ended, c.reason,
    CASE WHEN c.ended_at IS NULL
        THEN (SELECT count(*) FROM same_work(w.id) t JOIN claim_waiters q ON q.worktree_id = t.id WHERE q.until > :now)
        ELSE 0
    END AS waiting
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
JOIN repos r ON r.id = w.repo_id
LEFT JOIN hosts h ON h.id = c.host
WHERE :worktree_id = '' OR c.worktree_id IN (SELECT t.id FROM same_work(:worktree_id) t)
ORDER BY c.claimed_at DESC, c.token DESC
LIMIT :limit

-- The one statement that decides who holds the work: it adds a row, or it adds none.
-- `seq` is the place in the queue of who asks: nobody with an earlier one may wait.

-- name: take
INSERT INTO claims (id, worktree_id, agent, token, host, pid, session, lease, claimed_at, expires_at)
SELECT :id, w.id, :agent,
    COALESCE((SELECT MAX(f.token) FROM same_work(w.id) t JOIN fences f ON f.worktree_id = t.id), 0) + 1,
    :host, CAST(:pid AS BIGINT), :session, :lease, :now, :now + :lease
FROM worktrees w
WHERE w.id = :worktree_id AND w.state = 'ready' AND w.removed_at IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM same_work(w.id) t
        JOIN claims c ON c.worktree_id = t.id AND c.ended_at IS NULL
        WHERE t.removed_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1
        FROM same_work(w.id) t
        JOIN claim_waiters q ON q.worktree_id = t.id
        WHERE t.removed_at IS NULL AND q.until > :now AND q.seq < :seq
    )
ON CONFLICT (worktree_id) WHERE ended_at IS NULL DO NOTHING
RETURNING token

-- A claim, or its end, in one statement that is its own transaction (migration 3): NULL where it is not that
-- plain. `worktree_id` is '' where it is the one called `name` beside that at `top`.

-- name: at_once
SELECT claim_at_once(
    CASE WHEN :worktree_id = '' THEN worktree_beside(:host, :top, :name) ELSE :worktree_id END,
    :id, :agent, :host, NULLIF(CAST(:pid AS BIGINT), 0), :session, :lease, :event, :task,
    ROW(:request, :digest, CAST(:moment AS BIGINT), :base, CAST(:sinks AS TEXT[]), CAST(:envelope AS JSONB))
) AS result

-- name: release_at_once
SELECT release_at_once(
    CASE WHEN :worktree_id = '' THEN worktree_beside(:host, :top, :name) ELSE :worktree_id END,
    :agent, :token, :event,
    ROW(:request, :digest, CAST(:moment AS BIGINT), :base, CAST(:sinks AS TEXT[]), CAST(:envelope AS JSONB))
) AS result

-- name: settled
SELECT c.worktree_id, CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
JOIN repos r ON r.id = w.repo_id
WHERE c.ended_at IS NULL
    AND (c.expires_at <= :now OR c.expires_at > :now + c.lease OR w.removed_at IS NOT NULL)

-- name: of_processes
SELECT c.id, c.worktree_id, CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, c.pid, c.lease, c.expires_at
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
JOIN repos r ON r.id = w.repo_id
WHERE c.host = :host AND c.ended_at IS NULL AND c.pid IS NOT NULL

-- name: waiter
SELECT q.seq, q.id, q.worktree_id, CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, q.agent, q.since, q.until
FROM claim_waiters q
JOIN worktrees w ON w.id = q.worktree_id
JOIN repos r ON r.id = w.repo_id
WHERE q.id = :id

-- name: waiter_first
SELECT q.seq, q.id, q.agent, q.worktree_id, q.host
FROM same_work(:worktree_id) t
JOIN claim_waiters q ON q.worktree_id = t.id
WHERE q.until > :now AND t.removed_at IS NULL
ORDER BY q.seq
LIMIT 1

-- name: waiters_ahead
SELECT count(*) AS ahead
FROM same_work(:worktree_id) t
JOIN claim_waiters q ON q.worktree_id = t.id
WHERE q.until > :now AND q.seq < :seq

-- name: waiters_of
SELECT q.id
FROM same_work(:worktree_id) t
JOIN claim_waiters q ON q.worktree_id = t.id AND q.agent = :agent

-- name: waiters_gone
DELETE FROM claim_waiters
WHERE worktree_id IN (SELECT t.id FROM same_work(:worktree_id) t) AND until <= :now
