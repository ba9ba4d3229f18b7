-- The event log and what of it is still to be delivered. Who appends, and up to where the log may be read,
-- is in a file per engine.

-- name: of_aggregate
SELECT sequence, subject, envelope FROM events WHERE aggregate = :aggregate

-- name: rewrite
UPDATE events SET envelope = :envelope WHERE sequence = :sequence
