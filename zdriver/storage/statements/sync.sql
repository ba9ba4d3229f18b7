-- Shared configuration: what sync/ put into worktrees (migration 3).

-- name: repos
SELECT id, git_dir, trunk, container FROM repos WHERE host = :host ORDER BY id

-- name: trees
SELECT id, name, path FROM worktrees
WHERE repo_id = :repo AND removed_at IS NULL AND state = 'ready'
ORDER BY type <> 'trunk', name

-- name: links
SELECT l.worktree_id, l.path, l.source, l.kind, l.content, l.folders, l.next, l.at
FROM sync_links l JOIN worktrees w ON w.id = l.worktree_id
WHERE w.repo_id = :repo AND w.removed_at IS NULL

-- name: links_below
SELECT l.worktree_id, l.path, l.source, l.kind, l.content, l.folders, l.next, l.at
FROM worktrees w JOIN sync_links l ON l.worktree_id = w.id
WHERE w.repo_id = :repo AND w.removed_at IS NULL
    AND (l.path = :path OR (l.path > :after AND l.path < :before))

-- name: links_of
SELECT worktree_id, path, source, kind, content, folders, next, at FROM sync_links WHERE worktree_id = :worktree

-- name: places
SELECT l.worktree_id, l.path
FROM sync_links l JOIN worktrees w ON w.id = l.worktree_id
WHERE w.repo_id = :repo AND w.removed_at IS NULL

-- name: places_at
SELECT l.worktree_id, l.path
FROM worktrees w JOIN sync_links l ON l.worktree_id = w.id AND l.path = :path
WHERE w.repo_id = :repo AND w.removed_at IS NULL

-- name: places_removed
SELECT l.worktree_id, l.path
FROM sync_links l JOIN worktrees w ON w.id = l.worktree_id
WHERE w.repo_id = :repo AND w.removed_at IS NOT NULL

-- name: below
SELECT path, folders FROM sync_links
WHERE worktree_id = :worktree AND path > :after AND path < :before
LIMIT 1

-- name: first
SELECT l.path
FROM worktrees w JOIN sync_links l ON l.worktree_id = w.id
WHERE w.repo_id = :repo AND w.removed_at IS NULL
LIMIT 1

-- name: put
INSERT INTO sync_links (worktree_id, path, source, kind, content, folders, at)
VALUES (:worktree, :path, :source, :kind, :content, :folders, :at)
ON CONFLICT (worktree_id, path) DO UPDATE
SET source = excluded.source, kind = excluded.kind, content = excluded.content,
    folders = CASE WHEN excluded.folders > sync_links.folders THEN excluded.folders ELSE sync_links.folders END,
    next = '', at = excluded.at

-- name: put_next
INSERT INTO sync_links (worktree_id, path, source, kind, content, at)
VALUES (:worktree, :path, :source, :kind, :content, 0)
ON CONFLICT (worktree_id, path) DO UPDATE SET next = :next

-- name: drop
DELETE FROM sync_links WHERE worktree_id = :worktree AND path = :path

-- name: drop_of
DELETE FROM sync_links WHERE worktree_id = :worktree

-- name: drop_removed
DELETE FROM sync_links
WHERE worktree_id IN (SELECT id FROM worktrees WHERE repo_id = :repo AND removed_at IS NOT NULL)
