-- A removal begins only where nobody else holds the work, on whichever machine.

-- name: begin
UPDATE worktrees SET state = 'removing', step = :step, owner = :owner
WHERE id = :id AND state = 'ready' AND removed_at IS NULL AND NOT EXISTS (
    SELECT 1
    FROM same_work(:id) t
    JOIN claims c ON c.worktree_id = t.id
    WHERE t.removed_at IS NULL AND c.ended_at IS NULL AND c.expires_at > :at AND c.agent <> :agent
)
