-- The oldest task that an agent may do: there is one writer, so nobody is between.

-- name: take
UPDATE tasks
SET state = 'taken', holder = :agent, taken_at = :now, expires_at = :now + :lease,
    attempts = attempts + 1
WHERE id = (
    SELECT t.id
    FROM tasks t
    WHERE (t.state = 'queued' OR (t.state = 'taken' AND t.expires_at <= :now))
        AND (t.agent = '' OR t.agent = :agent)
    ORDER BY t.added_at, t.id
    LIMIT 1
)
RETURNING id, title, text, repo, worktree, agent, origin, payload, state, added_at, holder, taken_at,
    expires_at, done_at, attempts
