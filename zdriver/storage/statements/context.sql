-- Contexts: one root in one Zellij session.

-- name: by_id
SELECT id, host, zellij_session, root, closed_at FROM contexts WHERE id = :id

-- name: by_end
SELECT id, host, zellij_session, root, closed_at FROM contexts WHERE id LIKE '%' || :end ORDER BY id LIMIT 6

-- name: open_at
SELECT id, host, zellij_session, root, closed_at
FROM contexts
WHERE host = :host AND zellij_session = :zellij_session AND root = :root AND closed_at IS NULL

-- name: open_in
SELECT id, host, zellij_session, root, closed_at
FROM contexts
WHERE host = :host AND zellij_session = :zellij_session AND closed_at IS NULL
ORDER BY id

-- name: all_open
SELECT id, zellij_session, root
FROM contexts
WHERE host = :host AND closed_at IS NULL AND (:root = '' OR root = :root)
ORDER BY id DESC

-- name: below
SELECT id FROM contexts WHERE root = :repo OR substr(root, 1, length(:below)) = :below LIMIT 1

-- name: closed_at_root
SELECT id FROM contexts WHERE host = :host AND root = :root AND closed_at IS NOT NULL

-- name: another_at
SELECT id FROM contexts
WHERE host = :host AND zellij_session = :zellij_session AND root = :root AND id <> :id
LIMIT 1

-- name: add
INSERT INTO contexts (id, host, zellij_session, root, opened_at)
VALUES (:id, :host, :zellij_session, :root, :at)

-- name: move
UPDATE contexts SET zellij_session = :zellij_session WHERE id = :id

-- name: close
UPDATE contexts SET closed_at = :at WHERE id = :id AND closed_at IS NULL

-- name: delete
DELETE FROM contexts WHERE id = :id

-- name: session_root
SELECT root FROM zellij_servers WHERE host = :host AND name = :zellij_session ORDER BY opened_at DESC LIMIT 1
