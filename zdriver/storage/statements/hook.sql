-- Texts of hooks that the user allowed to run (migration 3).

-- name: approvals
SELECT hook, digest FROM hook_approvals WHERE repo_id = :repo_id

-- name: approve
INSERT INTO hook_approvals (repo_id, hook, digest, at) VALUES (:repo_id, :hook, :digest, :at)
ON CONFLICT (repo_id, hook, digest) DO NOTHING

-- name: revoke
DELETE FROM hook_approvals WHERE repo_id = :repo_id AND hook = :hook
