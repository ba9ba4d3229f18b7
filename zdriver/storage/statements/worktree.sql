-- Repositories and their worktrees (migration 3).

-- name: repo
SELECT id, git_dir, trunk, container, remote, default_branch
FROM repos
WHERE host = :host AND git_dir = :git_dir

-- name: repo_by_id
SELECT id, git_dir, trunk, container, remote, default_branch FROM repos WHERE id = :id

-- name: repos_in
SELECT id, git_dir, trunk, container, remote, default_branch
FROM repos
WHERE host = :host AND container = :container
ORDER BY id

-- name: repo_add
INSERT INTO repos (id, host, git_dir, trunk, container, remote, default_branch, added_at, seen_at)
VALUES (:id, :host, :git_dir, :trunk, :container, :remote, :default_branch, :at, :at)

-- name: repo_change
UPDATE repos
SET trunk = :trunk, container = :container, remote = :remote, default_branch = :default_branch, seen_at = :at
WHERE id = :id

-- name: by_id
SELECT id, repo_id, name, type, title, branch, base, path, state, step, made_branch, head, owner,
    pr_number, pr_title, pr_url, agent, created_at, used_at, removed_at
FROM worktrees
WHERE id = :id

-- name: live
SELECT id, repo_id, name, type, title, branch, base, path, state, step, made_branch, head, owner,
    pr_number, pr_title, pr_url, agent, created_at, used_at, removed_at
FROM worktrees
WHERE repo_id = :repo_id AND removed_at IS NULL
ORDER BY type <> 'trunk', name

-- name: named
SELECT id, repo_id, name, type, title, branch, base, path, state, step, made_branch, head, owner,
    pr_number, pr_title, pr_url, agent, created_at, used_at, removed_at
FROM worktrees
WHERE repo_id = :repo_id AND name = :name AND removed_at IS NULL

-- name: at_path
SELECT w.id, w.repo_id, w.name, w.type, w.title, w.branch, w.base, w.path, w.state, w.step, w.made_branch,
    w.head, w.owner, w.pr_number, w.pr_title, w.pr_url, w.agent, w.created_at, w.used_at, w.removed_at
FROM worktrees w
JOIN repos r ON r.id = w.repo_id
WHERE r.host = :host AND w.path = :path AND w.removed_at IS NULL

-- name: unfinished
SELECT w.id, w.repo_id, w.name, w.type, w.title, w.branch, w.base, w.path, w.state, w.step, w.made_branch,
    w.head, w.owner, w.pr_number, w.pr_title, w.pr_url, w.agent, w.created_at, w.used_at, w.removed_at
FROM worktrees w
JOIN repos r ON r.id = w.repo_id
WHERE r.host = :host AND w.state IN ('creating', 'removing') AND w.removed_at IS NULL
ORDER BY w.id

-- name: intents
SELECT c.root, e.text
FROM worktrees w
JOIN contexts c ON c.root = w.path AND c.host = :host AND c.closed_at IS NULL
JOIN entries e ON e.context_id = c.id AND e.type = 'intent' AND e.ended_at IS NULL
WHERE w.repo_id = :repo_id AND w.removed_at IS NULL
ORDER BY e.at

-- name: add
INSERT INTO worktrees (id, repo_id, name, type, title, branch, base, path, state, step, made_branch, head,
    owner, pr_number, pr_title, pr_url, agent, created_at, used_at)
VALUES (:id, :repo_id, :name, :type, :title, :branch, :base, :path, :state, :step, :made_branch, :head,
    :owner, :pr_number, :pr_title, :pr_url, :agent, :at, :at)

-- name: ready
UPDATE worktrees SET state = 'ready', step = '', owner = '', used_at = :at
WHERE id = :id AND state = 'creating' AND removed_at IS NULL

-- name: never_made
UPDATE worktrees SET state = 'removed', step = 'rolled back', owner = '', removed_at = :at
WHERE id = :id AND state = 'creating' AND removed_at IS NULL

-- name: gone
UPDATE worktrees SET state = 'removed', step = 'gone', owner = '', removed_at = :at
WHERE id = :id AND state = 'ready' AND removed_at IS NULL

-- name: moved
UPDATE worktrees SET path = :path WHERE id = :id AND removed_at IS NULL

-- name: switched
-- (the branch it is on now was not made for it)
UPDATE worktrees SET branch = :branch, made_branch = 0 WHERE id = :id AND state = 'ready' AND removed_at IS NULL

-- name: owned
UPDATE worktrees SET agent = :agent, type = :type WHERE id = :id AND agent = '' AND removed_at IS NULL

-- name: used
UPDATE worktrees SET used_at = :at WHERE id = :id AND removed_at IS NULL

-- name: types
SELECT name, description, base FROM worktree_types ORDER BY name

-- name: type_add
INSERT INTO worktree_types (name, description, base, at) VALUES (:name, :description, :base, :at)

-- name: type_remove
DELETE FROM worktree_types WHERE name = :name

-- name: type_used
SELECT count(*) AS worktrees FROM worktrees WHERE type = :type AND removed_at IS NULL
