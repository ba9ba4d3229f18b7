-- Worktrees and who holds them, on one machine.

-- name: lines
SELECT w.id, w.name, w.type, w.title, w.branch, w.base, w.path, w.state, w.pr_number, w.pr_title, w.pr_url,
    w.agent, w.created_at, w.used_at,
    c.id AS claim_id, c.agent AS claim_agent, c.token AS claim_token, c.host AS claim_host,
    c.pid AS claim_pid, c.session AS claim_session, c.lease, c.claimed_at, c.expires_at,
    (SELECT count(*) FROM claim_waiters q WHERE q.worktree_id = w.id AND q.until > :now) AS waiting
FROM worktrees w
LEFT JOIN claims c ON c.worktree_id = w.id AND c.ended_at IS NULL AND c.expires_at > :now
WHERE w.repo_id = :repo_id AND w.removed_at IS NULL
ORDER BY w.type <> 'trunk', w.name
