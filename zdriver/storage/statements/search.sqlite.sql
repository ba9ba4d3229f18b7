-- Full-text search by FTS5. `words` and `query` are words joined by spaces, made by core.tokens.

-- name: add
INSERT INTO search (rowid, words) VALUES (:seq, :words)

-- name: remove
DELETE FROM search WHERE rowid = :seq

-- name: history
SELECT e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.at, e.source,
    e.context_id, c.zellij_session, c.root
FROM search s
CROSS JOIN entries e ON e.seq = s.rowid
CROSS JOIN contexts c ON c.id = e.context_id
WHERE s.search MATCH ('"' || replace(:query, ' ', '" "') || '"*') AND s.rowid < :before
    AND e.undone_at IS NULL AND e.at >= :since
    AND (:context_id = '' OR e.context_id = :context_id)
    AND (:repo = '' OR e.context_id IN (
        SELECT id FROM contexts WHERE root = :repo OR substr(root, 1, length(:below)) = :below
    ))
ORDER BY s.rowid DESC
LIMIT :limit
