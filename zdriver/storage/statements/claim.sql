-- Who holds a worktree, who waits for it, and who held it (migration 3). What depends on how many
-- machines use the store is in a file per engine.

-- name: fence
INSERT INTO fences (worktree_id, token) VALUES (:worktree_id, :token)
ON CONFLICT (worktree_id) DO UPDATE SET token = :token

-- name: renew
UPDATE claims
SET lease = :lease, expires_at = :expires_at, pid = CAST(:pid AS BIGINT), session = :session,
    worktree_id = :worktree_id, host = :host
WHERE id = :id AND ended_at IS NULL

-- name: end
UPDATE claims SET ended_at = :at, ended = :ended, reason = :reason
WHERE id = :id AND ended_at IS NULL

-- name: due
SELECT MIN(expires_at) AS at FROM claims WHERE ended_at IS NULL

-- name: shift
UPDATE claims SET expires_at = expires_at + :by WHERE host = :host AND ended_at IS NULL

-- name: shift_waiters
UPDATE claim_waiters SET until = until + :by

-- name: waiter_add
INSERT INTO claim_waiters (id, worktree_id, agent, since, until, host)
VALUES (:id, :worktree_id, :agent, :now, :until, :host)
RETURNING seq

-- name: waiter_stays
UPDATE claim_waiters SET until = :until WHERE id = :id

-- name: waiter_drop
DELETE FROM claim_waiters WHERE id = :id

-- name: waiters_back
UPDATE claim_waiters SET until = :until WHERE until > :after AND host IN ('', :host)

-- name: waiters_end
DELETE FROM claim_waiters WHERE worktree_id = :worktree_id

-- name: elsewhere
-- (of that name, whole or without its type, in another clone of the repository that `top` is a worktree of)
SELECT w.id, w.name
FROM worktrees here
JOIN repos r ON r.id = here.repo_id
JOIN repos s ON s.identity = r.identity AND s.identity <> '' AND s.id <> r.id
JOIN worktrees w ON w.repo_id = s.id AND w.removed_at IS NULL
WHERE here.path = :top AND here.removed_at IS NULL AND r.host = :host
    AND (w.name = :name OR w.name = w.type || '-' || :name)
ORDER BY w.name <> :name, w.id
