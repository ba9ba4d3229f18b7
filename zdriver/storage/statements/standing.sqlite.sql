-- What a status line shows of a worktree (migration 3), on one machine.

-- name: at_path
SELECT w.name, w.type, c.agent, c.expires_at
FROM worktrees w
JOIN repos r ON r.id = w.repo_id
LEFT JOIN claims c ON c.worktree_id = w.id AND c.ended_at IS NULL AND c.expires_at > :now
WHERE r.host = :host AND w.path = :path AND w.removed_at IS NULL
