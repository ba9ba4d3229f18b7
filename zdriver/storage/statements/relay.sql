-- What is still to be delivered to a sink. `next_at`: µs; 0 at once, 2^63-1 not before somebody says so.
-- CROSS JOIN: in this order, whatever an engine's statistics say.

-- name: of_aggregate
SELECT d.sequence, d.attempts, e.id, e.type, e.aggregate, e.aggregate_seq, e.at, e.envelope
FROM events AS e CROSS JOIN deliveries AS d
WHERE e.aggregate = :aggregate AND e.aggregate_seq >= :from_seq
    AND d.sink = :sink AND d.sequence = e.sequence AND d.next_at < 9223372036854775807
ORDER BY e.aggregate_seq
LIMIT :limit

-- name: held
SELECT d.next_at, e.aggregate, e.aggregate_seq
FROM deliveries AS d CROSS JOIN events AS e
WHERE d.sink = :sink AND d.attempts > 0 AND d.next_at < 9223372036854775807 AND e.sequence = d.sequence
ORDER BY d.sequence

-- name: refused
UPDATE deliveries SET attempts = :attempts, next_at = :next_at, error = :error
WHERE sink = :sink AND sequence = :sequence

-- name: standing
SELECT COUNT(CASE WHEN next_at < 9223372036854775807 THEN 1 END) AS lag,
    COUNT(CASE WHEN next_at = 9223372036854775807 THEN 1 END) AS aside
FROM deliveries
WHERE sink = :sink

-- name: failed
SELECT d.sink, d.sequence, d.attempts, d.next_at, d.error, e.id, e.type, e.aggregate, e.at
FROM deliveries AS d CROSS JOIN events AS e
WHERE d.attempts > 0 AND e.sequence = d.sequence
ORDER BY d.sequence, d.sink
LIMIT :limit

-- name: again
UPDATE deliveries SET attempts = 0, next_at = 0, error = ''
WHERE sink = :sink AND sequence = :sequence AND attempts > 0

-- name: again_all
UPDATE deliveries SET attempts = 0, next_at = 0, error = '' WHERE attempts > 0
