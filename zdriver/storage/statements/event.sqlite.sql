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
