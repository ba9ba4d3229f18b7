-- The event log. One writer: whatever is committed has a higher `sequence` than all before.

-- name: append
INSERT INTO events (id, type, aggregate, aggregate_seq, subject, at, envelope)
VALUES (
    :id, :type, :aggregate,
    COALESCE((SELECT MAX(aggregate_seq) FROM events WHERE aggregate = :aggregate), 0) + 1,
    :subject, :at, :envelope
)

-- name: deliver_after
INSERT INTO deliveries (sink, sequence) SELECT :sink, sequence FROM events WHERE sequence > :after

-- name: after
SELECT sequence, id, type, aggregate, aggregate_seq, at, envelope
FROM events
WHERE sequence > :sequence
ORDER BY sequence
LIMIT :limit

-- name: newest
SELECT MAX(sequence) AS sequence FROM events

-- What was committed can be read at once.

-- name: standing
SELECT MAX(sequence) AS newest, MAX(sequence) + 1 AS settled FROM events

-- Events of some types: `types` is a JSON list of patterns, [] for all.

-- name: oldest
SELECT sequence, envelope
FROM events
WHERE sequence > :after AND at >= :since
    AND (:types = '[]' OR EXISTS (SELECT 1 FROM json_each(:types) AS p WHERE events.type GLOB p.value))
ORDER BY sequence
LIMIT :limit

-- name: latest
SELECT sequence, envelope
FROM events
WHERE sequence > :after AND at >= :since
    AND (:types = '[]' OR EXISTS (SELECT 1 FROM json_each(:types) AS p WHERE events.type GLOB p.value))
ORDER BY sequence DESC
LIMIT :limit
