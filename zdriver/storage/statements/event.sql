-- The event log and what of it is still to be delivered.

-- name: append
INSERT INTO events (id, type, aggregate, aggregate_seq, subject, at, envelope)
VALUES (
    :id, :type, :aggregate,
    COALESCE((SELECT MAX(aggregate_seq) FROM events WHERE aggregate = :aggregate), 0) + 1,
    :subject, :at, :envelope
)
RETURNING sequence

-- name: deliver
INSERT INTO deliveries (sink, sequence) VALUES (:sink, :sequence)

-- name: after
SELECT sequence, id, type, aggregate, aggregate_seq, at, envelope
FROM events
WHERE sequence > :sequence
ORDER BY sequence
LIMIT :limit

-- name: newest
SELECT MAX(sequence) AS sequence FROM events

-- name: of_aggregate
SELECT sequence, subject, envelope FROM events WHERE aggregate = :aggregate

-- name: rewrite
UPDATE events SET envelope = :envelope WHERE sequence = :sequence
