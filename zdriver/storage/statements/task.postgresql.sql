-- The oldest task that an agent may do and that nobody else takes at this moment:
-- many take side by side, none waits, each gets another one. Locked in a step of its own (MATERIALIZED),
-- so that no plan picks twice.

-- name: take
WITH next AS MATERIALIZED (
    SELECT t.id
    FROM tasks t
    WHERE (t.state = 'queued' OR (t.state = 'taken' AND t.expires_at <= CAST(:now AS BIGINT)))
        AND (t.agent = '' OR t.agent = CAST(:agent AS TEXT))
    ORDER BY t.added_at, t.id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE tasks
SET state = 'taken', holder = :agent, taken_at = :now, expires_at = CAST(:now AS BIGINT) + :lease,
    attempts = attempts + 1
WHERE id = (
    SELECT id FROM next
)
RETURNING id, title, text, repo, worktree, agent, origin, payload, state, added_at, holder, taken_at,
    expires_at, done_at, attempts
