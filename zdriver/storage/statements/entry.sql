-- Intents and milestones.

-- name: add
INSERT INTO entries (id, context_id, type, text, source, at, kind, artifacts, commit_id, intent_id)
VALUES (:id, :context_id, :type, :text, :source, :at, :kind, :artifacts, :commit_id, :intent_id)
RETURNING seq

-- name: current_intent
SELECT seq, id, text, source, at
FROM entries
WHERE context_id = :context_id AND type = 'intent' AND ended_at IS NULL

-- name: end_intent
UPDATE entries SET ended_at = :at WHERE context_id = :context_id AND type = 'intent' AND ended_at IS NULL

-- name: milestones
SELECT seq, id, text, kind, artifacts, commit_id, at, intent_id, source
FROM entries
WHERE context_id = :context_id AND type = 'milestone' AND undone_at IS NULL
ORDER BY seq DESC
LIMIT :limit

-- name: undo
UPDATE entries SET undone_at = :at WHERE seq = :seq

-- name: adopt
UPDATE entries SET context_id = :into WHERE context_id = :context_id

-- name: seq_of
SELECT seq FROM entries WHERE id = :id

-- name: by_id
SELECT seq, id, type, context_id FROM entries WHERE id = :id

-- name: by_end
SELECT seq, id, type, context_id FROM entries WHERE id LIKE '%' || :end ORDER BY id LIMIT 6

-- name: whole
SELECT e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.at, e.source,
    e.context_id, c.zellij_session, c.root
FROM entries e
JOIN contexts c ON c.id = e.context_id
WHERE e.id = :id

-- name: of_context
SELECT seq, id, type, context_id FROM entries WHERE context_id = :context_id

-- name: detach
UPDATE entries SET intent_id = NULL WHERE context_id = :context_id AND type = 'milestone' AND intent_id = :id

-- name: delete
DELETE FROM entries WHERE seq = :seq

-- name: history
SELECT e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.at, e.source,
    e.context_id, c.zellij_session, c.root
FROM entries e
JOIN contexts c ON c.id = e.context_id
WHERE e.seq < :before AND e.undone_at IS NULL AND e.at >= :since
    AND (:repo = '' OR e.context_id IN (
        SELECT id FROM contexts WHERE root = :repo OR substr(root, 1, length(:below)) = :below
    ))
ORDER BY e.seq DESC
LIMIT :limit

-- name: history_of_context
SELECT e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.at, e.source,
    e.context_id, c.zellij_session, c.root
FROM entries e
JOIN contexts c ON c.id = e.context_id
WHERE e.context_id = :context_id
    AND e.seq < :before AND e.undone_at IS NULL AND e.at >= :since
    AND (:repo = '' OR e.context_id IN (
        SELECT id FROM contexts WHERE root = :repo OR substr(root, 1, length(:below)) = :below
    ))
ORDER BY e.seq DESC
LIMIT :limit
