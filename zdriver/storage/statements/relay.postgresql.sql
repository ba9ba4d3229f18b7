-- Behind events_settled() others may still be written: read now, they would be passed by.

-- name: after
SELECT d.sequence, d.attempts, e.id, e.type, e.aggregate, e.aggregate_seq, e.at, e.envelope
FROM deliveries AS d CROSS JOIN events AS e
WHERE d.sink = :sink AND d.sequence > :after AND d.sequence < events_settled() AND d.next_at <= :now
    AND e.sequence = d.sequence
ORDER BY d.sequence
LIMIT :limit

-- name: sent
DELETE FROM deliveries
WHERE sink = :sink
    AND sequence IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:sequences AS json)))
