-- The event log as the archive reads it: one writer, so what is there is settled.

-- name: events
SELECT sequence, id, type, aggregate, aggregate_seq, subject, at, envelope
FROM events
WHERE sequence > :after AND sequence <= :until
ORDER BY sequence
LIMIT :limit

-- name: newest
SELECT sequence, id FROM events ORDER BY sequence DESC LIMIT 1
