-- Idempotency keys on several machines.

-- name: drop
DELETE FROM requests WHERE key = :key AND at = :at
