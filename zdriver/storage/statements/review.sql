-- Worktrees of pull requests (migration 3).

-- name: find
SELECT w.id, w.pr_branch, w.pr_remote
FROM worktrees w
WHERE w.repo_id = :repo_id AND w.pr_number = :number AND w.removed_at IS NULL

-- name: update
-- `head` becomes what the forge is known to have: removing it loses nothing up to there.
UPDATE worktrees
SET pr_title = :title, pr_url = :url, pr_branch = :branch, pr_remote = :remote, head = :head,
    used_at = :at
WHERE id = :id AND removed_at IS NULL
