-- From schema 1 to 2. What a destination took before is taken from the newest history; a large one is not
-- read whole, because nobody gets mail while this runs. (The indexes take some 5 s for a million recipients that wait.)

CREATE TABLE known_destination (
    name         TEXT PRIMARY KEY,
    took_mail_at INTEGER NOT NULL,              -- to the hour
    denied_since INTEGER                        -- null: the DNS does not say that there is no such name
) STRICT, WITHOUT ROWID;

CREATE INDEX known_destination_age ON known_destination (took_mail_at);

INSERT INTO known_destination (name, took_mail_at)
SELECT r.destination, max(a.ended_at)
FROM (SELECT * FROM attempt ORDER BY message_id DESC LIMIT 100000) AS a
JOIN recipient AS r ON r.message_id = a.message_id AND r.ordinal = a.ordinal
WHERE a.event = 'relayed' GROUP BY r.destination;

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

INSERT INTO kept (id, octets)
SELECT 1, coalesce(sum(size), 0) FROM content WHERE keep_until IS NOT NULL;

DROP INDEX recipient_due;
DROP INDEX recipient_expiry;
DROP INDEX recipient_in_flight;
CREATE INDEX recipient_due ON recipient (destination, priority, due_at, state) WHERE state = 0;
CREATE INDEX recipient_expiry ON recipient (expires_at, message_id, ordinal, state) WHERE state = 0;
CREATE INDEX recipient_in_flight ON recipient (destination, state) WHERE state = 1;
