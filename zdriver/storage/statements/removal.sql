-- Removing worktrees and bringing them back (migration 3).

-- name: row
SELECT id, repo_id, name, type, branch, base, path, state, step, made_branch, head, owner, pr_number,
    agent, removed_at
FROM worktrees
WHERE id = :id

-- name: reopen
UPDATE worktrees SET state = 'removing', step = :step, owner = :owner, removed_at = NULL
WHERE id = :id AND state = 'removed' AND removed_at IS NOT NULL

-- name: in_the_way
SELECT name, path FROM worktrees
WHERE repo_id = :repo_id AND removed_at IS NULL AND (name = :name OR path = :path)

-- name: step
UPDATE worktrees SET step = :step, owner = :owner
WHERE id = :id AND state = 'removing' AND removed_at IS NULL

-- name: back
UPDATE worktrees SET state = 'ready', step = '', owner = '' WHERE id = :id AND state = 'removing'

-- name: done
UPDATE worktrees SET state = 'removed', step = '', owner = '', head = :head, removed_at = :at
WHERE id = :id AND state = 'removing'

-- name: still_removed
UPDATE worktrees
SET state = 'removed', step = '', owner = '',
    removed_at = (SELECT m.removed_at FROM removals m WHERE m.id = :removal)
WHERE id = :id AND state = 'removing'

-- name: recovered_worktree
UPDATE worktrees
SET state = 'ready', step = '', owner = '', branch = :branch, path = :path, made_branch = :made_branch,
    used_at = :at
WHERE id = :id AND state = 'removing'

-- name: add
INSERT INTO removals (id, worktree_id, repo_id, name, branch, head, ref, trash, forced, agent, removed_at,
    expires_at)
VALUES (:id, :worktree_id, :repo_id, :name, :branch, :head, :ref, :trash, :forced, :agent, 0, 0)

-- name: kept
UPDATE removals SET branch = :branch, head = :head, ref = :ref, work = :work WHERE id = :id

-- name: trash
UPDATE removals SET trash = :trash WHERE id = :id

-- name: drop
DELETE FROM removals WHERE id = :id AND removed_at = 0

-- name: finished
UPDATE removals SET trash = :trash, removed_at = :at, expires_at = :expires_at WHERE id = :id

-- name: of_worktree
SELECT id, worktree_id, repo_id, name, branch, head, ref, work, trash, forced, agent, removed_at, expires_at,
    recovered_at, expired_at
FROM removals
WHERE worktree_id = :worktree_id
ORDER BY id DESC

-- name: by_id
SELECT id, worktree_id, repo_id, name, branch, head, ref, work, trash, forced, agent, removed_at, expires_at,
    recovered_at, expired_at
FROM removals
WHERE id = :id

-- name: of_repo
SELECT id, worktree_id, repo_id, name, branch, head, ref, work, trash, forced, agent, removed_at, expires_at,
    recovered_at, expired_at
FROM removals
WHERE repo_id = :repo_id AND removed_at > 0 AND recovered_at IS NULL AND expired_at IS NULL
ORDER BY id DESC

-- name: recovered
UPDATE removals SET recovered_at = :at WHERE id = :id AND recovered_at IS NULL

-- name: due
SELECT m.id, m.repo_id, m.trash, m.ref, m.expired_at, r.git_dir
FROM removals m
JOIN repos r ON r.id = m.repo_id
WHERE r.host = :host AND m.removed_at > 0 AND m.expires_at <= :at AND (m.ref <> '' OR m.trash <> '')

-- name: expire
UPDATE removals SET expired_at = :at
WHERE id = :id AND expired_at IS NULL AND (
    recovered_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM worktrees w WHERE w.id = removals.worktree_id AND w.state = 'removed')
)

-- name: emptied
UPDATE removals SET ref = '', work = '', trash = '' WHERE id = :id

-- name: unfinished
SELECT w.id FROM worktrees w
JOIN repos r ON r.id = w.repo_id
WHERE r.host = :host AND w.state = 'removing' AND (:repo_id = '' OR w.repo_id = :repo_id)
ORDER BY w.id

-- name: copies
SELECT path FROM sync_links WHERE worktree_id = :worktree_id AND kind = 'copy' ORDER BY path
