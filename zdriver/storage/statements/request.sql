-- Idempotency keys: a request that comes again gets its first answer.

-- name: find
SELECT digest, result FROM requests WHERE key = :key

-- name: keep
INSERT INTO requests (key, digest, result, at) VALUES (:key, :digest, :result, :at)

-- name: expire
DELETE FROM requests WHERE at < :before

-- name: forget
DELETE FROM requests WHERE result LIKE '%' || :id || '%'

-- name: forget_text
DELETE FROM requests WHERE replace(result, :text, '') <> result
