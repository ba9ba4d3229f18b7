-- What the archive is told, and what it confirmed (migration 4).

-- name: confirmed
SELECT cursor FROM archives WHERE id = :id

-- name: known
SELECT cursor FROM archives ORDER BY archived_at DESC LIMIT 1

-- name: meet
INSERT INTO archives (id, cursor, archived_at) VALUES (:id, 0, 0) ON CONFLICT (id) DO NOTHING

-- name: confirm
INSERT INTO archives (id, cursor, archived_at) VALUES (:id, :cursor, :archived_at)
ON CONFLICT (id) DO UPDATE SET cursor = excluded.cursor, archived_at = excluded.archived_at

-- name: any
SELECT 1 AS yes FROM archives LIMIT 1

-- name: owe
INSERT INTO archive_owed (kind, id) VALUES (:kind, :id)

-- name: owed
SELECT seq, kind, id FROM archive_owed WHERE seq > :after ORDER BY seq LIMIT :limit

-- name: owed_done
DELETE FROM archive_owed WHERE seq = :seq

-- name: behind
SELECT count(*) AS events FROM events WHERE sequence > :cursor

-- Rows with all that is told of them. `repo` is the remote of the repository whose worktree stands,
-- or stood, at the root: the same on every machine.

-- part: entry
SELECT e.seq, e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.source, e.at, e.intent_id,
    e.ended_at, e.undone_at, e.context_id, c.host, c.zellij_session, c.root,
    COALESCE((
        SELECT max(r.remote) FROM worktrees w JOIN repos r ON r.id = w.repo_id
        WHERE w.path = c.root AND r.host = c.host
    ), '') AS repo
FROM entries e
JOIN contexts c ON c.id = e.context_id

-- name: entries
{{entry}}
WHERE e.seq > :after
ORDER BY e.seq
LIMIT :limit

-- name: entry
{{entry}}
WHERE e.id = :id

-- name: of_context
{{entry}}
WHERE e.context_id = :context_id AND (e.type = 'intent' OR :all_types = 1) AND e.seq >= :seq
ORDER BY e.seq

-- The intent before one: it ended when that one was set.

-- name: intent_before
SELECT max(seq) AS seq FROM entries WHERE context_id = :context_id AND type = 'intent' AND seq < :seq

-- part: claim
SELECT c.id, c.worktree_id, w.name AS worktree, w.path, r.remote AS repo, c.agent, c.token, c.host, c.pid,
    c.session, c.claimed_at, c.expires_at, c.ended_at, c.ended, c.reason
FROM claims c
JOIN worktrees w ON w.id = c.worktree_id
JOIN repos r ON r.id = w.repo_id

-- name: claims
{{claim}}
WHERE c.id > :after
ORDER BY c.id
LIMIT :limit

-- name: claim
{{claim}}
WHERE c.id = :id

-- name: snapshots
SELECT generation, taken_at, host, zellij_session, root, reason, tabs, panes, pinned, digest, size
FROM snapshots
WHERE generation > :after
ORDER BY generation
LIMIT :limit

-- name: event
SELECT sequence, id, type, aggregate, aggregate_seq, subject, at, envelope
FROM events
WHERE sequence = :sequence

-- What is old and may go, once the archive has it. Not what is current, nor what is shown first.

-- name: old_entries
SELECT e.seq, e.id
FROM entries e
WHERE e.seq > :after AND e.at < :before
    AND (e.type = 'milestone' OR e.ended_at IS NOT NULL)
    AND (e.type = 'intent' OR e.undone_at IS NOT NULL OR EXISTS (
        SELECT 1 FROM entries n
        WHERE n.context_id = e.context_id AND n.type = 'milestone' AND n.undone_at IS NULL AND n.seq > e.seq
        LIMIT 1 OFFSET :kept
    ))
ORDER BY e.seq
LIMIT :limit

-- name: old_claims
SELECT id FROM claims
WHERE id > :after AND ended_at IS NOT NULL AND ended_at < :before
ORDER BY id
LIMIT :limit

-- name: old_events
SELECT e.sequence, e.id
FROM events e
WHERE e.sequence > :after AND e.sequence < :cursor AND e.at < :before
    AND EXISTS (
        SELECT 1 FROM events n WHERE n.aggregate = e.aggregate AND n.aggregate_seq > e.aggregate_seq
    )
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.sequence = e.sequence)
ORDER BY e.sequence
LIMIT :limit

-- name: prune_entry
DELETE FROM entries
WHERE seq = :seq AND (type = 'milestone' OR ended_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT 1 FROM events v
        WHERE v.aggregate = 'context:' || entries.context_id AND v.sequence > :cursor
    )

-- name: prune_claim
DELETE FROM claims WHERE id = :id AND ended_at IS NOT NULL

-- name: prune_event
DELETE FROM events
WHERE sequence = :sequence AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.sequence = events.sequence)

-- name: count
SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM claims) AS claims,
    (SELECT count(*) FROM snapshots) AS snapshots, (SELECT count(*) FROM events) AS events

-- name: hosts
SELECT id, name FROM hosts
