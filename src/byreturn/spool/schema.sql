-- The spool's tables. A queue is only waiting and in-flight rows; everything else in here is history.
--
-- All times are milliseconds since 1970, UTC. States are numbered as in spool/rows.py; the CHECKs repeat
-- the law of policy/lifecycle.py, so that no code path can write a state that has no meaning.

-- A run of the server process. An attempt that is in flight belongs to one.
CREATE TABLE epoch (
    id         INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL
) STRICT;

CREATE TABLE message (
    id              INTEGER PRIMARY KEY,
    reverse_path    TEXT NOT NULL,              -- empty: the null path
    accepted_at     INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    octets          INTEGER NOT NULL,
    recipient_count INTEGER NOT NULL CHECK (recipient_count > 0),
    body            TEXT NOT NULL,
    ret             TEXT,
    envid           TEXT,
    priority        INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    origin_address  TEXT NOT NULL,
    origin_hello    TEXT NOT NULL,
    origin_listener TEXT NOT NULL,
    about           INTEGER,                    -- a report: the message it is about
    message_id      TEXT NOT NULL,              -- the header field
    subject         TEXT NOT NULL,
    is_bulk         INTEGER NOT NULL CHECK (is_bulk IN (0, 1))
) STRICT;

CREATE INDEX message_about ON message (about) WHERE about IS NOT NULL;
-- What somebody sent lately, and what a report that comes back to them may name. Nothing comes back to the null
-- path. The Message-ID has no index of its own: that would cost each message 8 us and a page of the log (measured,
-- with a history of 100,000), for what is asked once for each report of others.
CREATE INDEX message_sender ON message (reverse_path, id, message_id) WHERE reverse_path != '';
CREATE INDEX message_envid ON message (reverse_path, envid) WHERE envid IS NOT NULL AND reverse_path != '';

CREATE TABLE recipient (
    message_id       INTEGER NOT NULL,
    ordinal          INTEGER NOT NULL,
    address          TEXT NOT NULL,
    given            TEXT,                      -- null: the same as address
    destination      TEXT NOT NULL,
    notify           INTEGER NOT NULL,
    orcpt            TEXT,
    priority         INTEGER NOT NULL,
    state            INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    due_at           INTEGER,                   -- waiting: when to try; in flight: when, if interrupted
    epoch            INTEGER,                   -- in flight: half of the fence; attempts is the other half
    attempts         INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,          -- since when it is in this state
    first_outcome_at INTEGER,                   -- null: nothing is known about it yet
    finding          TEXT,                      -- JSON: the last diagnosis
    PRIMARY KEY (message_id, ordinal),
    CHECK ((state IN (0, 1)) = (due_at IS NOT NULL)),
    CHECK ((state = 1) = (epoch IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- The state is in these although it is the same in all: where it is, SQLite need not look into the table
-- (measured: 0.3 us for a recipient that is counted, without it 7 us).
CREATE INDEX recipient_due ON recipient (destination, priority, due_at, state) WHERE state = 0;
CREATE INDEX recipient_report_due ON recipient (due_at) WHERE state = 0 AND priority = 0;
CREATE INDEX recipient_expiry ON recipient (expires_at, message_id, ordinal, state) WHERE state = 0;
CREATE INDEX recipient_in_flight ON recipient (destination, state) WHERE state = 1;
CREATE INDEX recipient_stopped ON recipient (state) WHERE state IN (2, 3);

-- A destination that has waiting recipients or is failing. failures = 0: it is alive, and due_at is when
-- the first of its recipients is due. Otherwise probe_at is when to probe for all who wait, and due_at when
-- there is also somebody to probe with.
CREATE TABLE destination (
    name          TEXT PRIMARY KEY,
    due_at        INTEGER NOT NULL,
    failures      INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    probe_at      INTEGER,
    found_at      INTEGER,                      -- when the last probe ended
    finding       TEXT,
    CHECK ((failures = 0) = (failing_since IS NULL)),
    CHECK ((failures = 0) = (probe_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX destination_due ON destination (due_at);
CREATE INDEX destination_failing ON destination (name) WHERE failures > 0;

-- History: what each attempt found for each recipient.
CREATE TABLE attempt (
    message_id INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    event      TEXT NOT NULL,
    finding    TEXT,
    PRIMARY KEY (message_id, ordinal, number)
) STRICT, WITHOUT ROWID;

-- Reports that we owe, and those that were sent. The table is the timer. 'cleared': that mail has gone through
-- after all whose delay was told; 'copied': the postmaster's copy of a failure. Delay notices are numbered.
CREATE TABLE owed (
    message_id INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    action     TEXT NOT NULL CHECK (action IN ('failed', 'delayed', 'delivered', 'relayed', 'expanded', 'cleared',
                   'copied')),
    number     INTEGER NOT NULL DEFAULT 0 CHECK (number >= 0 AND (number = 0 OR action = 'delayed')),
    due_at     INTEGER NOT NULL,
    at         INTEGER NOT NULL,                -- when it came to be so
    report_id  INTEGER,                         -- null: still owed; 0: nobody was to be told
    PRIMARY KEY (message_id, ordinal, action, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX owed_due ON owed (due_at, message_id, report_id) WHERE report_id IS NULL;

-- What others report of recipients that we passed on: later events of their stories.
CREATE TABLE later (
    message_id INTEGER NOT NULL,
    ordinal    INTEGER,                         -- null: it names none of the message's recipients
    at         INTEGER NOT NULL,
    report_id  INTEGER NOT NULL,                -- the message that brought it
    action     TEXT NOT NULL,                   -- what it calls it; a stranger's word
    text       TEXT NOT NULL
) STRICT;

CREATE INDEX later_message ON later (message_id, ordinal);

-- Contents under 64 KiB; a larger one has a row without octets here and a file of its own.
CREATE TABLE content (
    message_id INTEGER PRIMARY KEY,
    octets     BLOB,
    size       INTEGER NOT NULL,
    keep_until INTEGER                          -- null: a recipient still needs it
) STRICT;

CREATE INDEX content_keep ON content (keep_until) WHERE keep_until IS NOT NULL;

-- Destinations that took mail: of one of these a "no such domain" is not believed at once.
CREATE TABLE known_destination (
    name         TEXT PRIMARY KEY,
    took_mail_at INTEGER NOT NULL,              -- to the hour
    denied_since INTEGER                        -- null: the DNS does not say that there is no such name
) STRICT, WITHOUT ROWID;

CREATE INDEX known_destination_age ON known_destination (took_mail_at);

-- Limits that hosts taught us by their replies.
CREATE TABLE lesson (
    hosts      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    value      INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    learned_at INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (hosts, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX lesson_until ON lesson (until);

-- The brake is on while there is a row.
CREATE TABLE brake (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    since INTEGER NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('lie', 'number', 'person')),
    why   TEXT NOT NULL
) STRICT;

-- How many octets of contents are kept with a keep_until; one row.
CREATE TABLE kept (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    octets INTEGER NOT NULL CHECK (octets >= 0)
) STRICT;

INSERT INTO kept (id, octets) VALUES (1, 0);
