-- Full-text search by tsvector. `words` and `query` are words joined by spaces, made by core.tokens: no
-- parser or dictionary of PostgreSQL's has a say, so that both engines find the same.

-- name: add
INSERT INTO search (seq, words) VALUES (:seq, array_to_tsvector(string_to_array(:words, ' ')))

-- name: remove
DELETE FROM search WHERE seq = :seq

-- name: history
SELECT e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.at, e.source,
    e.context_id, c.zellij_session, c.root
FROM search s
JOIN entries e ON e.seq = s.seq
JOIN contexts c ON c.id = e.context_id
WHERE s.words @@ CAST('''' || replace(:query, ' ', ''' & ''') || ''':*' AS TSQUERY)
    AND s.seq < :before
    AND e.undone_at IS NULL AND e.at >= :since
    AND (:context_id = '' OR e.context_id = :context_id)
    AND (:repo = '' OR e.context_id IN (
        SELECT id FROM contexts WHERE root = :repo OR substr(root, 1, length(:below)) = :below
    ))
ORDER BY s.seq DESC
LIMIT :limit
