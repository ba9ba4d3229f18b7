-- What a status line shows of a worktree: who holds its work, on whichever machine.

-- name: at_path
SELECT w.name, w.type, c.agent, c.expires_at
FROM worktrees w
JOIN repos r ON r.id = w.repo_id
LEFT JOIN LATERAL (
    SELECT n.*, COALESCE(h.name, '') AS hostname
    FROM same_work(w.id) t
    JOIN claims n ON n.worktree_id = t.id AND n.ended_at IS NULL AND n.expires_at > :now
    LEFT JOIN hosts h ON h.id = n.host
    WHERE t.removed_at IS NULL
    ORDER BY n.worktree_id <> w.id
    LIMIT 1
) c ON TRUE
WHERE r.host = :host AND w.path = :path AND w.removed_at IS NULL
