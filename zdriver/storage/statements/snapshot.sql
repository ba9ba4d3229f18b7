-- Generations of panes and their content.

-- name: add
INSERT INTO snapshots (host, zellij_session, root, taken_at, reason, tabs, panes, pinned, digest, content, size)
VALUES (:host, :zellij_session, :root, :taken_at, :reason, :tabs, :panes, :pinned, :digest, :content, :size)
RETURNING generation

-- name: add_blob
INSERT INTO blobs (key, data) VALUES (:key, :data) ON CONFLICT (key) DO NOTHING

-- name: replace_blob
INSERT INTO blobs (key, data) VALUES (:key, :data) ON CONFLICT (key) DO UPDATE SET data = excluded.data

-- name: link_blob
INSERT INTO snapshot_blobs (generation, key) VALUES (:generation, :key) ON CONFLICT (generation, key) DO NOTHING

-- name: unlink_blobs
DELETE FROM snapshot_blobs WHERE generation = :generation

-- name: unlink_blob
DELETE FROM snapshot_blobs WHERE generation = :generation AND key = :key

-- name: retell
UPDATE snapshots SET content = :content, size = :size WHERE generation = :generation

-- name: drop_blob_if_unused
DELETE FROM blobs
WHERE key = :key
    AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.content = blobs.key)
    AND NOT EXISTS (SELECT 1 FROM snapshot_blobs b WHERE b.key = blobs.key)
RETURNING LENGTH(data) AS size

-- name: blob
SELECT data FROM blobs WHERE key = :key

-- name: by_generation
SELECT generation, zellij_session, root, taken_at, reason, tabs, panes, pinned, digest, content, size
FROM snapshots
WHERE generation = :generation

-- name: newest
SELECT generation, zellij_session, root, taken_at, reason, tabs, panes, pinned, digest, content, size
FROM snapshots
WHERE host = :host AND zellij_session = :zellij_session
ORDER BY generation DESC
LIMIT 1

-- name: list
SELECT generation, zellij_session, root, taken_at, reason, tabs, panes, pinned, digest, content, size
FROM snapshots
WHERE host = :host AND generation < :before
    AND (:zellij_session = '' OR zellij_session = :zellij_session)
    AND (:root = '' OR root = :root)
ORDER BY generation DESC
LIMIT :limit

-- name: rename
UPDATE snapshots SET zellij_session = :new
WHERE host = :host AND zellij_session = :old AND root = :root

-- name: pin
UPDATE snapshots SET pinned = :pinned WHERE generation = :generation

-- name: sessions
SELECT DISTINCT zellij_session FROM snapshots WHERE host = :host

-- name: of_session
SELECT generation, taken_at, size, pinned, content
FROM snapshots
WHERE host = :host AND zellij_session = :zellij_session
ORDER BY generation DESC

-- name: of_context
SELECT generation, zellij_session
FROM snapshots s
WHERE s.host = :host AND s.root = :root
    AND (
        s.zellij_session = :zellij_session
        -- taken under an earlier name of a session that was restored
        OR NOT EXISTS (
            SELECT 1 FROM contexts c
            WHERE c.host = s.host AND c.root = s.root AND c.zellij_session = s.zellij_session
                AND c.id <> :id
        )
    )

-- name: delete
DELETE FROM snapshots WHERE generation = :generation

-- name: forget_restores
DELETE FROM restores WHERE generation = :generation

-- name: drop_unused_blobs
DELETE FROM blobs
WHERE NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.content = blobs.key)
    AND NOT EXISTS (SELECT 1 FROM snapshot_blobs b WHERE b.key = blobs.key)

-- name: linked
SELECT key FROM snapshot_blobs WHERE generation = :generation ORDER BY key

-- name: count_blobs
SELECT COUNT(*) AS blobs FROM blobs
