-- Taking over what another tool knows (migration 3).

-- name: times
UPDATE worktrees SET created_at = :created_at, used_at = :used_at WHERE id = :id
