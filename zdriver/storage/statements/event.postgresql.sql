-- The event log of several machines: read only as far as it is settled (migration 1 says why).

-- All events of a transaction at once, with their deliveries: a list per column. An event that would lie
-- before the last one of its aggregate gets NULL, which the table refuses: its unit is run again.

-- name: append
WITH given AS (
    SELECT * FROM unnest(
        CAST(:ids AS TEXT[]), CAST(:types AS TEXT[]), CAST(:aggregates AS TEXT[]),
        CAST(:subjects AS TEXT[]), CAST(:ats AS BIGINT[]), CAST(:envelopes AS BYTEA[])
    ) WITH ORDINALITY AS g (id, type, aggregate, subject, at, envelope, place)
), added AS (
    INSERT INTO events (sequence, id, type, aggregate, aggregate_seq, subject, at, envelope)
    SELECT :first + g.place - 1, g.id, g.type, g.aggregate,
        CASE WHEN COALESCE(l.sequence, 0) < :first THEN
            COALESCE(l.aggregate_seq, 0) + row_number() OVER (PARTITION BY g.aggregate ORDER BY g.place)
        END,
        g.subject, g.at, g.envelope
    FROM given g
    LEFT JOIN LATERAL (
        SELECT e.sequence, e.aggregate_seq FROM events e
        WHERE e.aggregate = g.aggregate
        ORDER BY e.aggregate_seq DESC
        LIMIT 1
    ) l ON TRUE
    ORDER BY g.place
    RETURNING sequence
)
INSERT INTO deliveries (sink, sequence)
SELECT s.sink, a.sequence FROM added a CROSS JOIN unnest(CAST(:sinks AS TEXT[])) AS s (sink)

-- name: after
SELECT sequence, id, type, aggregate, aggregate_seq, at, envelope
FROM events
WHERE sequence > :sequence AND sequence < events_settled()
ORDER BY sequence
LIMIT :limit

-- name: newest
SELECT MAX(sequence) AS sequence FROM events WHERE sequence < events_settled()

-- Whether there is one that nobody may read yet; and the newest, for who only wants to know of news.

-- name: standing
SELECT MAX(sequence) AS newest, events_settled() AS settled FROM events

-- name: known
SELECT 1 AS known FROM events WHERE sequence = :sequence AND id = :id

-- Events of some types: `types` is a JSON list of patterns, [] for all.

-- name: oldest
SELECT sequence, envelope
FROM events
WHERE sequence > :after AND sequence < events_settled() AND at >= :since
    AND (:types = '[]' OR EXISTS (
        SELECT 1 FROM json_array_elements_text(CAST(:types AS JSON)) AS p (pattern)
        WHERE events.type LIKE replace(replace(replace(p.pattern, '_', '\_'), '*', '%'), '?', '_')
    ))
ORDER BY sequence
LIMIT :limit

-- name: latest
SELECT sequence, envelope
FROM events
WHERE sequence > :after AND sequence < events_settled() AND at >= :since
    AND (:types = '[]' OR EXISTS (
        SELECT 1 FROM json_array_elements_text(CAST(:types AS JSON)) AS p (pattern)
        WHERE events.type LIKE replace(replace(replace(p.pattern, '_', '\_'), '*', '%'), '?', '_')
    ))
ORDER BY sequence DESC
LIMIT :limit
