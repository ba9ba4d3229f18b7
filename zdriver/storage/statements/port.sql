-- Ports that worktrees lease (migration 3).

-- name: lease
-- One statement decides: the port is given when nobody on this machine has it, the worktree has none
-- for this variable yet, and it was not removed meanwhile.
INSERT INTO worktree_ports (host, port, worktree_id, variable, at)
SELECT :host, :port, :worktree_id, :variable, :at
WHERE EXISTS (SELECT 1 FROM worktrees WHERE id = :worktree_id AND removed_at IS NULL)
ON CONFLICT DO NOTHING

-- name: of_worktree
SELECT port, variable FROM worktree_ports WHERE worktree_id = :worktree_id ORDER BY variable

-- name: taken
SELECT port FROM worktree_ports WHERE host = :host

-- name: free
DELETE FROM worktree_ports WHERE worktree_id = :worktree_id

-- name: free_removed
-- Of worktrees that were removed by other means, and of creations that were rolled back.
DELETE FROM worktree_ports
WHERE host = :host AND worktree_id IN (SELECT id FROM worktrees WHERE removed_at IS NOT NULL)
