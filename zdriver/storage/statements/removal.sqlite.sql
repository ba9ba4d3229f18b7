-- A removal begins only where nobody else holds the worktree.

-- name: begin
UPDATE worktrees SET state = 'removing', step = :step, owner = :owner
WHERE id = :id AND state = 'ready' AND removed_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM claims
    WHERE worktree_id = :id AND ended_at IS NULL AND expires_at > :at AND agent <> :agent
)
