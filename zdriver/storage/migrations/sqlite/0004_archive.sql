-- What archives have confirmed, and what they still have to delete. No save touches either table.
-- min_compatible: 1

-- All that happened up to the event `cursor` is committed in that archive: `archived_at` says since when.
CREATE TABLE archives (
    id TEXT NOT NULL PRIMARY KEY, -- the archive's own
    cursor INTEGER NOT NULL, -- `sequence` of an event; 0: nothing is confirmed
    archived_at INTEGER NOT NULL -- 0: never
) STRICT, WITHOUT ROWID;

-- What was forgotten since there is an archive: noted by `forget` in its own transaction, and kept
-- until the archive has forgotten it as well.
CREATE TABLE archive_owed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('entry', 'context', 'place', 'event')),
    id TEXT NOT NULL -- of a place: JSON [host, zellij_session, root]; of an event: its `sequence`
) STRICT;
