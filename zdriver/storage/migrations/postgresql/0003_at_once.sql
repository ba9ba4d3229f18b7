-- A claim and a release in one statement, where it is the plain case: nobody holds the work or waits for it.
-- Programs of schema 2 name the locks that keep both ways apart by other numbers.
-- min_compatible: 3

-- As `lock_key` in storage/postgres/keys.py.
CREATE FUNCTION lock_key(name TEXT) RETURNS BIGINT LANGUAGE sql STABLE AS $$
    SELECT CAST(CAST('x' || substr(encode(sha256(convert_to('zdriver:' || name, 'UTF8')), 'hex'), 1, 16)
        AS BIT(64)) AS BIGINT)
$$;

-- A moment in ISO 8601, UTC.
CREATE FUNCTION iso(moment BIGINT) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT to_char(TIMESTAMP 'epoch' + moment * INTERVAL '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- What the store says of a call (storage/postgres/calling.py).
CREATE TYPE store_call AS (
    request TEXT, -- its idempotency key
    digest TEXT,
    moment BIGINT, -- NULL: the database's clock
    base BIGINT, -- `event_base`
    sinks TEXT[], -- that every event gets a delivery for
    envelope JSONB -- of an event, but for what is its own
);

-- The worktree of that name in the repository whose worktree is at `top`.
CREATE FUNCTION worktree_beside(machine TEXT, top TEXT, called TEXT) RETURNS TEXT LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT w.id
        FROM worktrees here
        JOIN repos r ON r.id = here.repo_id AND r.host = machine
        JOIN worktrees w ON w.repo_id = here.repo_id AND w.name = called AND w.removed_at IS NULL
        WHERE here.path = top AND here.removed_at IS NULL
        LIMIT 1
    );
END
$$;

-- Both locks, of a work and of its worktree, and nobody is waited for: by whom they are held, or already
-- waited for, is somebody who changes the claim, or removes the worktree.
CREATE FUNCTION work_locked(work TEXT, worktree TEXT) RETURNS BOOLEAN LANGUAGE sql VOLATILE AS $$
    SELECT pg_try_advisory_xact_lock(lock_key('claim:' || work))
        AND pg_try_advisory_xact_lock(lock_key('worktree:' || worktree))
$$;

-- The event with that place in its transaction, as the statement `event.append` adds it. The lock of its
-- aggregate is held, from before this transaction had a number.
CREATE FUNCTION event_told(
    call store_call, place BIGINT, event TEXT, kind TEXT, about TEXT, moment BIGINT, payload JSONB
) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    number BIGINT := (CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) + call.base) * 4096 + place;
BEGIN
    INSERT INTO events (sequence, id, type, aggregate, aggregate_seq, subject, at, envelope)
    SELECT number, event, kind, about,
        CASE WHEN COALESCE(l.sequence, 0) < number THEN COALESCE(l.aggregate_seq, 0) + 1 END,
        payload->>'id', moment,
        convert_to(CAST(call.envelope || jsonb_build_object(
            'event_id', event, 'event_type', kind, 'timestamp', iso(moment), 'payload', payload
        ) AS TEXT), 'UTF8')
    FROM (SELECT 1) AS one
    LEFT JOIN LATERAL (
        SELECT e.sequence, e.aggregate_seq FROM events e
        WHERE e.aggregate = about
        ORDER BY e.aggregate_seq DESC
        LIMIT 1
    ) l ON TRUE;
    IF cardinality(call.sinks) > 0 THEN
        INSERT INTO deliveries (sink, sequence) SELECT s.sink, number FROM unnest(call.sinks) AS s (sink);
    END IF;
END
$$;

-- `Outcome` of claims/ledger.py as JSON, kept for the request: of one that is known all of it is refused.
CREATE FUNCTION claim_answered(call store_call, claim claims, name TEXT, path TEXT, hostname TEXT, moment BIGINT)
RETURNS TEXT LANGUAGE plpgsql AS $$
DECLARE
    answer TEXT := json_build_object('now', moment, 'claim', json_build_object(
        'id', claim.id, 'worktree_id', claim.worktree_id, 'worktree', name, 'path', path,
        'agent', claim.agent, 'token', claim.token, 'host', claim.host, 'hostname', hostname,
        'pid', claim.pid, 'session', claim.session, 'lease', CAST(claim.lease AS FLOAT8) / 1000000,
        'claimed_at', iso(claim.claimed_at), 'expires_at', iso(claim.expires_at),
        'ended_at', iso(claim.ended_at), 'ended', claim.ended, 'reason', claim.reason
    ));
BEGIN
    INSERT INTO requests (key, digest, result, at) VALUES (call.request, call.digest, answer, moment);
    RETURN answer;
END
$$;

-- What `Book.take` does where nobody holds the work and nobody waits for it. NULL: it is not that plain, or
-- somebody else is at it, and nothing was done.
-- `event` and `task` are the ids of its events; '' where no agent is given a task.
CREATE FUNCTION claim_at_once(
    worktree TEXT, ticket TEXT, who TEXT, machine TEXT, process BIGINT, terminal TEXT, length BIGINT,
    event TEXT, task TEXT, call store_call
) RETURNS TEXT LANGUAGE plpgsql AS $$
DECLARE
    place RECORD;
    same TEXT[];
    moment BIGINT;
    claim claims;
    about TEXT := 'worktree:' || worktree;
    payload JSONB;
BEGIN
    SELECT w.name, w.branch, w.path, CASE WHEN r.trunk = '' THEN r.git_dir ELSE r.trunk END AS repo,
        CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, r.identity
    INTO place
    FROM worktrees w
    JOIN repos r ON r.id = w.repo_id
    WHERE w.id = worktree
        AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.worktree_id = w.id AND c.ended_at IS NULL);
    IF NOT FOUND OR NOT work_locked(place.key, worktree) THEN
        RETURN NULL;
    END IF;
    -- From here on it is as it is found, and the clock says a time after that of whoever had the locks before.
    moment := COALESCE(call.moment, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT));
    IF place.identity = '' THEN
        same := ARRAY[worktree];
    ELSE
        same := ARRAY(SELECT t.id FROM same_work(worktree) t);
    END IF;
    INSERT INTO claims (id, worktree_id, agent, token, host, pid, session, lease, claimed_at, expires_at)
    SELECT ticket, w.id, who,
        COALESCE((SELECT max(f.token) FROM fences f WHERE f.worktree_id = ANY (same)), 0) + 1,
        machine, process, terminal, length, moment, moment + length
    FROM worktrees w
    WHERE w.id = worktree AND w.state = 'ready' AND w.removed_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.worktree_id = ANY (same) AND c.ended_at IS NULL)
        AND NOT EXISTS (
            SELECT 1 FROM claim_waiters q
            WHERE q.worktree_id = ANY (same) AND (q.until > moment OR q.agent = who)
        )
    RETURNING * INTO claim;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO fences AS f (worktree_id, token) VALUES (worktree, claim.token)
    ON CONFLICT (worktree_id) DO UPDATE SET token = excluded.token;
    payload := jsonb_build_object(
        'id', worktree, 'name', place.name, 'branch', place.branch, 'path', place.path, 'repo', place.repo,
        'claim', ticket, 'agent', who, 'token', claim.token
    );
    PERFORM event_told(call, 0, event, 'worktree.claimed', about, moment, payload || jsonb_build_object(
        'host', machine, 'session', terminal, 'lease', CAST(length AS FLOAT8) / 1000000
    ));
    IF task <> '' THEN
        PERFORM event_told(call, 1, task, 'task.assigned', about, moment,
            payload || jsonb_build_object('worktree', place.name));
    END IF;
    RETURN claim_answered(call, claim, place.name, place.path, '', moment);
END
$$;

-- What `Book.end` does for a claim of that agent, with that token (0: whichever), whose lease runs and which
-- nobody waits for. NULL: as above.
CREATE FUNCTION release_at_once(worktree TEXT, who TEXT, fence BIGINT, event TEXT, call store_call)
RETURNS TEXT LANGUAGE plpgsql AS $$
DECLARE
    place RECORD;
    moment BIGINT;
    claim claims;
BEGIN
    SELECT w.name, w.branch, w.path, CASE WHEN r.trunk = '' THEN r.git_dir ELSE r.trunk END AS repo,
        CASE WHEN r.identity = '' THEN w.id ELSE r.identity || '/' || w.name END AS key, h.name AS hostname
    INTO place
    FROM worktrees w
    JOIN repos r ON r.id = w.repo_id
    JOIN claims c ON c.worktree_id = w.id AND c.ended_at IS NULL AND c.agent = who
    LEFT JOIN hosts h ON h.id = c.host
    WHERE w.id = worktree;
    IF NOT FOUND OR NOT work_locked(place.key, worktree) THEN
        RETURN NULL;
    END IF;
    moment := COALESCE(call.moment, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT));
    UPDATE claims AS c SET ended_at = moment, ended = 'released', reason = ''
    FROM worktrees w
    WHERE w.id = worktree AND w.removed_at IS NULL
        AND c.worktree_id = w.id AND c.ended_at IS NULL AND c.agent = who AND (fence = 0 OR c.token = fence)
        AND c.expires_at > moment AND c.expires_at <= moment + c.lease
        AND NOT EXISTS (
            SELECT 1 FROM same_work(worktree) t
            JOIN claim_waiters q ON q.worktree_id = t.id
            WHERE q.until > moment
        )
    RETURNING c.* INTO claim;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM event_told(call, 0, event, 'worktree.released', 'worktree:' || worktree, moment, jsonb_build_object(
        'id', worktree, 'name', place.name, 'branch', place.branch, 'path', place.path, 'repo', place.repo,
        'claim', claim.id, 'agent', who, 'token', claim.token
    ));
    RETURN claim_answered(call, claim, place.name, place.path, COALESCE(place.hostname, ''), moment);
END
$$;
