-- What goes into the hot copy, and comes out of it (`zdriver/hot`).

-- name: context
SELECT id, host, zellij_session, root, opened_at, parent_id
FROM contexts
WHERE id = :id AND host = :host AND closed_at IS NULL

-- name: recent
SELECT c.id
FROM contexts c
WHERE c.host = :host AND c.closed_at IS NULL AND (
    EXISTS (SELECT 1 FROM entries e WHERE e.context_id = c.id AND e.at > :since)
    OR EXISTS (
        SELECT 1 FROM snapshots s
        WHERE s.host = c.host AND s.zellij_session = c.zellij_session AND s.taken_at > :since
    )
    OR EXISTS (
        SELECT 1 FROM zellij_servers z
        WHERE z.host = c.host AND z.name = c.zellij_session AND z.ended_at IS NULL
    )
)
ORDER BY c.id DESC

-- name: carries
SELECT parent_id FROM contexts WHERE id = :id AND parent_id IS NOT NULL

-- name: carried_on
SELECT id, parent_version FROM contexts WHERE host = :host AND parent_id = :parent_id
ORDER BY parent_version DESC
LIMIT 1

-- name: newest_entry_at
SELECT MAX(e.at) AS at
FROM contexts c
JOIN entries e ON e.context_id = c.id
WHERE c.host = :host AND c.root = :root

-- name: newest_panes_at
SELECT MAX(taken_at) AS at FROM snapshots WHERE host = :host AND root = :root

-- name: carries_on
UPDATE contexts SET parent_id = :parent_id, parent_version = :parent_version WHERE id = :id

-- name: entry_here
SELECT e.seq
FROM contexts c
JOIN entries e ON e.context_id = c.id
WHERE c.host = :host AND c.root = :root AND (e.id = :id OR (e.at = :at AND e.text = :text))
LIMIT 1

-- name: entry_in
SELECT seq FROM entries WHERE context_id = :context_id AND (id = :id OR (at = :at AND text = :text)) LIMIT 1
