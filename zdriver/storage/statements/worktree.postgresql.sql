-- Worktrees and who holds their work, on whichever machine.

-- name: lines
SELECT w.id, w.name, w.type, w.title, w.branch, w.base, w.path, w.state, w.pr_number, w.pr_title, w.pr_url,
    w.agent, w.created_at, w.used_at,
    c.id AS claim_id, c.agent AS claim_agent, c.token AS claim_token, c.host AS claim_host,
    c.pid AS claim_pid, c.session AS claim_session, c.lease, c.claimed_at, c.expires_at, c.hostname,
    (SELECT count(*) FROM same_work(w.id) t JOIN claim_waiters q ON q.worktree_id = t.id WHERE q.until > :now) AS waiting
FROM worktrees w
LEFT JOIN LATERAL (
    SELECT n.*, COALESCE(h.name, '') AS hostname
    FROM same_work(w.id) t
    JOIN claims n ON n.worktree_id = t.id AND n.ended_at IS NULL AND n.expires_at > :now
    LEFT JOIN hosts h ON h.id = n.host
    WHERE t.removed_at IS NULL
    ORDER BY n.worktree_id <> w.id
    LIMIT 1
) c ON TRUE
WHERE w.repo_id = :repo_id AND w.removed_at IS NULL
ORDER BY w.type <> 'trunk', w.name
