-- The event log of several machines, read only as far as it is settled.

-- name: events
SELECT sequence, id, type, aggregate, aggregate_seq, subject, at, envelope
FROM events
WHERE sequence > :after AND sequence <= :until AND sequence < events_settled()
ORDER BY sequence
LIMIT :limit

-- name: newest
SELECT sequence, id FROM events WHERE sequence < events_settled() ORDER BY sequence DESC LIMIT 1
