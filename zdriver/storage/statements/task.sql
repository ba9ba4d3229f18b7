-- What agents are to do (migration 5). `take` is in a file per engine: only what it locks differs.

-- name: add
INSERT INTO tasks (id, title, text, repo, worktree, agent, origin, payload, added_at)
VALUES (:id, :title, :text, :repo, :worktree, :agent, :origin, :payload, :at)
ON CONFLICT (id) DO NOTHING

-- part: task
SELECT id, title, text, repo, worktree, agent, origin, payload, state, added_at, holder, taken_at,
    expires_at, done_at, attempts
FROM tasks

-- name: by_id
{{task}}
WHERE id = :id

-- name: by_end
{{task}}
WHERE substr(id, length(id) - length(CAST(:end AS TEXT)) + 1) = CAST(:end AS TEXT)
ORDER BY added_at DESC
LIMIT 10

-- name: newest
{{task}}
WHERE CAST(:state AS TEXT) = '' OR state = CAST(:state AS TEXT)
ORDER BY added_at DESC, id DESC
LIMIT :limit

-- name: extend
UPDATE tasks SET expires_at = :until
WHERE id = :id AND state = 'taken' AND holder = :agent AND attempts = :turn

-- name: finish
UPDATE tasks SET state = 'done', done_at = :at
WHERE id = :id AND state = 'taken' AND holder = :agent AND attempts = :turn

-- name: give_back
UPDATE tasks SET state = 'queued', holder = '', taken_at = NULL, expires_at = NULL
WHERE id = :id AND state = 'taken' AND holder = :agent AND attempts = :turn
