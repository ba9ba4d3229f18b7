-- Idempotency keys on several machines.

-- name: drop
DELETE FROM requests WHERE key = :key AND at = :at

-- Nobody keeps a result for it from here on; who is about to is waited for.

-- name: void
INSERT INTO requests (key, digest, result, at)
VALUES (:key, :digest, '', CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT))
ON CONFLICT (key) DO NOTHING
