-- What restoring remembers (migration 2).

-- name: server
SELECT key, host, name, pid, root, opened_at, decided, ended_at, crashed
FROM zellij_servers
WHERE key = :key

-- name: server_opened
INSERT INTO zellij_servers (key, host, name, pid, root, opened_at)
VALUES (:key, :host, :name, :pid, :root, :at)

-- name: server_decided
UPDATE zellij_servers SET decided = 1 WHERE key = :key

-- name: server_renamed
UPDATE zellij_servers SET name = :name WHERE key = :key

-- name: server_ended
UPDATE zellij_servers SET ended_at = :at, crashed = :crashed
WHERE key = :key AND ended_at IS NULL

-- name: servers_open
SELECT key, host, name, pid, root, opened_at, decided, ended_at, crashed
FROM zellij_servers
WHERE host = :host AND ended_at IS NULL

-- name: servers_last
SELECT s.key, s.host, s.name, s.pid, s.root, s.opened_at, s.decided, s.ended_at, s.crashed
FROM zellij_servers s
WHERE s.host = :host AND s.key <> :beside AND s.opened_at = (
    SELECT max(o.opened_at) FROM zellij_servers o
    WHERE o.host = s.host AND o.name = s.name AND o.key <> :beside
)

-- name: candidates
SELECT zellij_session, max(generation) AS generation
FROM snapshots
WHERE host = :host AND (root = :root OR zellij_session = :name)
GROUP BY zellij_session
ORDER BY generation DESC
LIMIT 50

-- name: restored
INSERT INTO restores (id, host, server, source, generation, root, panes, restored, failed, at)
VALUES (:id, :host, :server, :source, :generation, :root, :panes, :restored, :failed, :at)

-- name: undone
UPDATE restores SET undone_at = :at WHERE id = :id

-- name: of_server
SELECT id, server, source, generation, root, panes, restored, failed, at
FROM restores
WHERE server = :server AND undone_at IS NULL
ORDER BY id DESC

-- name: of_generation
SELECT id FROM restores WHERE generation = :generation

-- name: carried_on
SELECT source, max(generation) AS generation
FROM restores
WHERE host = :host AND undone_at IS NULL
GROUP BY source

-- name: dismiss
INSERT INTO dismissals (host, generation, at) VALUES (:host, :generation, :at)
ON CONFLICT (host, generation) DO NOTHING

-- name: dismissed
SELECT generation FROM dismissals WHERE host = :host

-- name: forget_place
UPDATE restores SET root = '', panes = '[]'
WHERE host = :host AND root = :root AND (
    source = :zellij_session
    OR server IN (
        SELECT key FROM zellij_servers WHERE host = :host AND name = :zellij_session AND ended_at IS NOT NULL
    )
)

-- name: forget_server
UPDATE zellij_servers SET root = ''
WHERE host = :host AND name = :zellij_session AND root = :root AND ended_at IS NOT NULL
