-- Every statement of the spool, by name. Parameters are bound, never written into the text.

-- name: add_epoch
INSERT INTO epoch (started_at) VALUES (?);

-- name: largest_id
SELECT coalesce(max(id), 0) FROM message;

-- name: failing_destinations
-- The failing ones, longest first; bounded, because they are kept in memory.
SELECT name, failures, due_at, finding, failing_since FROM destination
WHERE failures > 0 ORDER BY failing_since LIMIT ?;

-- name: add_message
INSERT INTO message (id, reverse_path, accepted_at, expires_at, octets, recipient_count, body, ret, envid,
    priority, origin_address, origin_hello, origin_listener, about, message_id, subject, is_bulk)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: get_message
SELECT id, reverse_path, accepted_at, expires_at, octets, recipient_count, body, ret, envid,
    priority, origin_address, origin_hello, origin_listener, about, message_id, subject, is_bulk
FROM message WHERE id = ?;

-- name: add_recipient
INSERT INTO recipient (message_id, ordinal, address, given, destination, notify, orcpt, priority, state,
    due_at, epoch, attempts, expires_at, changed_at, first_outcome_at, finding)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_content
INSERT INTO content (message_id, octets, size) VALUES (?, ?, ?);

-- name: get_content
SELECT octets, size FROM content WHERE message_id = ?;

-- name: wait_at_destination
-- A recipient waits: its destination is due no later than it; a failing one not before its probe is.
INSERT INTO destination (name, due_at) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET due_at = min(due_at, max(?2, coalesce(probe_at, 0)));

-- name: settle_recipient
-- The fence is the condition: a row that does not match belongs to somebody else now.
UPDATE recipient SET state = ?1, due_at = ?2, epoch = NULL, changed_at = ?3, finding = ?4,
    first_outcome_at = coalesce(first_outcome_at, ?3), expires_at = coalesce(?9, expires_at)
WHERE message_id = ?5 AND ordinal = ?6 AND state = 1 AND epoch = ?7 AND attempts = ?8;

-- name: unbook_recipient
-- It waits again as if it had not been booked: what is known about it stays as it was.
UPDATE recipient SET state = 0, due_at = ?1, epoch = NULL, changed_at = ?2, attempts = ?3,
    expires_at = coalesce(?8, expires_at)
WHERE message_id = ?4 AND ordinal = ?5 AND state = 1 AND epoch = ?6 AND attempts = ?7;

-- name: add_attempt
INSERT INTO attempt (message_id, ordinal, number, began_at, ended_at, event, finding)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: destination_fails
INSERT INTO destination (name, due_at, probe_at, failures, failing_since, found_at, finding)
VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name) DO UPDATE
SET due_at = ?2, probe_at = ?2, failures = ?3, failing_since = ?4, found_at = ?5, finding = ?6;

-- name: destination_lives
UPDATE destination SET due_at = ?2, probe_at = NULL, failures = 0, failing_since = NULL, found_at = ?3,
    finding = NULL
WHERE name = ?1;

-- name: somebody_unheard
SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = ? AND first_outcome_at IS NULL);

-- name: standing
-- Is a recipient still on its way; did one come to another end than delivery.
SELECT max(state < 4), max(state != 4) FROM recipient WHERE message_id = ?;

-- name: reports_so_far
-- Of the sender's reports; word that something has gone through, and copies, make none wait.
SELECT count(*) FROM message WHERE about = ?1 AND id NOT IN (
    SELECT report_id FROM owed
    WHERE message_id = ?1 AND action IN ('cleared', 'copied') AND report_id IS NOT NULL
);

-- name: pending_report_due
SELECT min(due_at) FROM owed
WHERE message_id = ? AND report_id IS NULL AND action NOT IN ('delayed', 'cleared', 'copied');

-- name: next_report_due
SELECT min(due_at) FROM owed WHERE message_id = ? AND report_id IS NULL;

-- name: owe
INSERT OR IGNORE INTO owed (message_id, ordinal, action, due_at, at) VALUES (?, ?, ?, ?, ?);

-- name: owe_notice
INSERT OR IGNORE INTO owed (message_id, ordinal, action, number, due_at, at)
VALUES (?, ?, 'delayed', ?, ?, ?);

-- name: hurry_reports
UPDATE owed SET due_at = min(due_at, ?2)
WHERE message_id = ?1 AND report_id IS NULL AND action NOT IN ('delayed', 'cleared', 'copied');

-- name: notices_of
-- Whether there are delay notices for a recipient: one that still waits, one that the sender was told.
SELECT max(report_id IS NULL), max(report_id > 0) FROM owed
WHERE message_id = ? AND ordinal = ? AND action = 'delayed';

-- name: drop_delay_notices
DELETE FROM owed WHERE message_id = ? AND ordinal = ? AND action = 'delayed' AND report_id IS NULL;

-- name: drop_content
DELETE FROM content WHERE message_id = ? RETURNING octets IS NULL;

-- name: keep_content_until
UPDATE content SET keep_until = ?2 WHERE message_id = ?1 AND keep_until IS NULL RETURNING size;

-- name: keep_more
UPDATE kept SET octets = octets + ?;

-- name: keep_less
UPDATE kept SET octets = octets - ?;

-- name: due_reports
-- Of the reports that wait longest, those at destinations that are not failing: they go before everything
-- else.
SELECT message_id, ordinal, destination FROM (
    SELECT message_id, ordinal, destination FROM recipient
    WHERE state = 0 AND priority = 0 AND due_at <= ?1 ORDER BY due_at LIMIT ?2
) AS r
WHERE NOT EXISTS (SELECT 1 FROM destination WHERE name = r.destination AND failures > 0);

-- name: due_destinations
SELECT name, failures FROM destination WHERE due_at <= ? ORDER BY due_at LIMIT ?;

-- name: due_recipients
SELECT message_id, ordinal FROM recipient
WHERE state = 0 AND destination = ? AND priority = ? AND due_at <= ? ORDER BY due_at LIMIT ?;

-- name: book_recipient
-- A first attempt that is interrupted is due at once, a later one at its booked time.
UPDATE recipient SET state = 1, epoch = ?1, attempts = attempts + 1, changed_at = ?3,
    due_at = CASE attempts WHEN 0 THEN ?3 ELSE ?2 END
WHERE message_id = ?4 AND ordinal = ?5 AND state = 0
RETURNING message_id, ordinal, address, given, destination, notify, orcpt, attempts, expires_at;

-- name: first_due_at
SELECT min(due_at) FROM recipient WHERE state = 0 AND destination = ? AND priority = ?;

-- name: destination_due_at
UPDATE destination SET due_at = ?2 WHERE name = ?1;

-- name: book_probe
UPDATE destination SET due_at = ?2, probe_at = ?2 WHERE name = ?1;

-- name: waits_for_probe
-- Whether a destination is failing and somebody waits there, or is its probe at this moment.
SELECT EXISTS (
    SELECT 1 FROM destination WHERE name = ?1 AND failures > 0 AND (
        EXISTS (SELECT 1 FROM recipient WHERE state = 0 AND destination = ?1)
        OR EXISTS (SELECT 1 FROM recipient WHERE state = 1 AND destination = ?1)
    )
);

-- name: forget_destination
DELETE FROM destination WHERE name = ? AND failures = 0;

-- name: next_destination_due
SELECT min(due_at) FROM destination WHERE due_at > ?;

-- name: owed_due
SELECT message_id FROM owed WHERE report_id IS NULL AND due_at <= ? ORDER BY due_at, message_id LIMIT ?;

-- name: next_owed
SELECT min(due_at) FROM owed WHERE report_id IS NULL AND due_at > ?;

-- name: owed_kind
-- Which kinds are due: is there a report for the sender, is there word that something has gone through.
SELECT max(action NOT IN ('cleared', 'copied')), max(action = 'cleared') FROM owed
WHERE message_id = ? AND report_id IS NULL AND due_at <= ?;

-- name: owed_lines
-- What is due, and with it every other line of its kind but a delay notice before its time: of reports to the
-- sender (?3 null), or of the other kind with that name. How it was accepted is asked of those that
-- have gone through.
SELECT r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, o.action, r.state, r.due_at,
    r.epoch, r.attempts, r.finding, o.at, r.expires_at, d.due_at, d.finding, d.failures,
    (SELECT max(began_at) FROM attempt AS a WHERE a.message_id = r.message_id AND a.ordinal = r.ordinal),
    CASE o.action WHEN 'cleared' THEN (
        SELECT event FROM attempt AS a WHERE a.message_id = r.message_id AND a.ordinal = r.ordinal
        ORDER BY number DESC LIMIT 1
    ) END,
    (
        SELECT min(n.due_at) FROM owed AS n
        WHERE n.message_id = r.message_id AND n.ordinal = r.ordinal AND n.action = 'delayed'
            AND n.report_id IS NULL AND n.due_at > ?2
    )
FROM owed AS o
JOIN recipient AS r ON r.message_id = o.message_id AND r.ordinal = o.ordinal
LEFT JOIN destination AS d ON d.name = r.destination
WHERE o.message_id = ?1 AND o.report_id IS NULL AND (o.due_at <= ?2 OR o.action != 'delayed')
    AND CASE WHEN ?3 IS NULL THEN o.action NOT IN ('cleared', 'copied') ELSE o.action = ?3 END
ORDER BY r.ordinal, o.action, o.number;

-- name: others
-- Recipients of a message, those first that are still on their way.
SELECT r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, r.state, r.due_at, r.epoch, r.attempts,
    r.finding, r.changed_at, r.expires_at, d.due_at, d.finding, d.failures,
    (
        SELECT min(o.due_at) FROM owed AS o
        WHERE o.message_id = r.message_id AND o.ordinal = r.ordinal AND o.action = 'delayed'
            AND o.report_id IS NULL
    ),
    EXISTS (
        SELECT 1 FROM owed AS o
        WHERE o.message_id = r.message_id AND o.ordinal = r.ordinal AND o.action = 'failed'
            AND o.report_id > 0
    )
FROM (
    SELECT * FROM recipient WHERE message_id = ?1 ORDER BY state > 3, ordinal LIMIT ?2
) AS r
LEFT JOIN destination AS d ON d.name = r.destination
ORDER BY r.state > 3, r.ordinal;

-- name: is_owed
SELECT EXISTS (
    SELECT 1 FROM owed WHERE message_id = ? AND ordinal = ? AND action = ? AND report_id IS NULL
);

-- name: mark_reported
-- Of delay notices all that are due: who was not told of the first in time does not hear of each.
UPDATE owed SET report_id = ?1
WHERE message_id = ?2 AND ordinal = ?3 AND action = ?4 AND report_id IS NULL
    AND (action != 'delayed' OR due_at <= ?5);

-- name: named_count
SELECT count(DISTINCT coalesce(given, address)) FROM recipient WHERE message_id = ?;

-- name: thread
-- What the sender was sent; the postmaster's copies are about the message too.
SELECT message_id FROM message WHERE about = ?1 AND id NOT IN (
    SELECT report_id FROM owed WHERE message_id = ?1 AND action = 'copied' AND report_id IS NOT NULL
) ORDER BY id;

-- name: over_time
-- A stretch of the recipients that wait past their time: those of it at a failing destination, and what is
-- known since when about that.
SELECT r.message_id, r.ordinal, r.address, r.destination, r.notify, r.attempts, r.due_at, r.finding,
    d.finding, d.found_at, m.reverse_path, m.recipient_count, m.about, m.origin_listener
FROM (
    SELECT message_id, ordinal, address, destination, notify, attempts, due_at, finding FROM recipient
    WHERE state = 0 AND expires_at <= ?1 AND (expires_at, message_id, ordinal) > (?2, ?3, ?4)
    ORDER BY expires_at, message_id, ordinal LIMIT ?5
) AS r
CROSS JOIN destination AS d ON d.name = r.destination AND d.failures > 0
CROSS JOIN message AS m ON m.id = r.message_id;

-- name: over_time_end
-- Where that stretch ends; nothing when it is the last.
SELECT expires_at, message_id, ordinal FROM recipient
WHERE state = 0 AND expires_at <= ?1 AND (expires_at, message_id, ordinal) > (?2, ?3, ?4)
ORDER BY expires_at, message_id, ordinal LIMIT 1 OFFSET ?5;

-- name: expire_recipient
UPDATE recipient SET state = 6, due_at = NULL, changed_at = ?1, finding = ?2,
    first_outcome_at = coalesce(first_outcome_at, ?1)
WHERE message_id = ?3 AND ordinal = ?4 AND state = 0;

-- name: probe_now
UPDATE destination SET due_at = min(due_at, ?2), probe_at = min(probe_at, ?2)
WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE destination = ?1 AND state = 1);

-- name: next_expiry
SELECT min(expires_at) FROM recipient WHERE state = 0 AND expires_at > ?;

-- name: interrupted_attempts
INSERT INTO attempt (message_id, ordinal, number, began_at, ended_at, event, finding)
SELECT message_id, ordinal, attempts, changed_at, max(changed_at, ?1), 'interrupted', ?2
FROM recipient WHERE state = 1;

-- name: park_interrupted
-- Interrupted for the third time: something about this mail kills us.
UPDATE recipient SET state = 3, due_at = NULL, epoch = NULL, changed_at = ?1, finding = ?2
WHERE state = 1 AND (
    SELECT count(*) FROM attempt AS a
    WHERE a.message_id = recipient.message_id AND a.ordinal = recipient.ordinal
        AND a.event = 'interrupted'
) >= 3;

-- name: destinations_of_interrupted
INSERT INTO destination (name, due_at)
SELECT destination, max(min(due_at), ?1) FROM recipient WHERE state = 1 GROUP BY destination
ON CONFLICT (name) DO UPDATE SET due_at = min(due_at, max(excluded.due_at, coalesce(probe_at, 0)));

-- name: release_interrupted
-- Spread over the first two seconds by their number, so that a restart is no storm.
UPDATE recipient SET state = 0, epoch = NULL, changed_at = ?1,
    due_at = max(due_at, ?1 + (message_id + ordinal * 97) % 2000)
WHERE state = 1;

-- name: expired_contents
-- Of the oldest so many, those that no report needs.
SELECT message_id, size FROM (
    SELECT message_id, size FROM content WHERE keep_until <= ?1 ORDER BY keep_until LIMIT ?2
) AS c
WHERE NOT EXISTS (SELECT 1 FROM owed WHERE owed.message_id = c.message_id AND report_id IS NULL)
LIMIT ?3;

-- name: kept_octets
SELECT octets FROM kept;

-- name: oldest_kept
SELECT message_id, size FROM (
    SELECT message_id, size FROM content WHERE keep_until IS NOT NULL ORDER BY keep_until LIMIT ?1
) AS c
WHERE NOT EXISTS (SELECT 1 FROM owed WHERE owed.message_id = c.message_id AND report_id IS NULL)
LIMIT ?2;

-- name: drop_kept_content
-- What it gave up of what is kept; a content that somebody still needs is none of that.
DELETE FROM content WHERE message_id = ?
RETURNING octets IS NULL, CASE WHEN keep_until IS NULL THEN 0 ELSE size END;

-- name: old_messages
-- A stretch of messages, and whether all is over for each: everybody is at an end, and no report is owed.
SELECT id, recipient_count,
    NOT EXISTS (SELECT 1 FROM recipient WHERE message_id = m.id AND state < 4)
    AND NOT EXISTS (SELECT 1 FROM owed WHERE owed.message_id = m.id AND report_id IS NULL)
FROM message AS m WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3;

-- name: forget_message
DELETE FROM message WHERE id = ?;

-- name: forget_recipients
DELETE FROM recipient WHERE message_id = ?;

-- name: forget_attempts
DELETE FROM attempt WHERE message_id = ?;

-- name: forget_owed
DELETE FROM owed WHERE message_id = ?;

-- name: forget_later
DELETE FROM later WHERE message_id = ?;

-- name: correspondents
-- Whom a sender's last messages reached, newest message first.
SELECT coalesce(r.given, r.address), r.changed_at
FROM (
    SELECT id FROM message WHERE reverse_path = ?1 AND reverse_path != '' ORDER BY id DESC LIMIT ?2
) AS m
CROSS JOIN recipient AS r ON r.message_id = m.id
WHERE r.state = 4 LIMIT ?3;

-- name: by_envid
SELECT id FROM message
WHERE reverse_path = ?1 AND envid = ?2 AND envid IS NOT NULL AND reverse_path != '' ORDER BY id DESC LIMIT 1;

-- name: escaped_envids
-- ENVIDs of a sender that hold a hexchar: one text can be written in several ways.
SELECT id, envid FROM (
    SELECT id, envid FROM message
    WHERE reverse_path = ?1 AND envid IS NOT NULL AND reverse_path != '' LIMIT ?2
) AS e WHERE instr(envid, ?3) ORDER BY id DESC;

-- name: by_message_id
-- Of the last so many messages of a sender; only the index is read.
SELECT id FROM (
    SELECT id, message_id FROM message WHERE reverse_path = ?1 AND reverse_path != '' ORDER BY id DESC LIMIT ?3
) AS m
WHERE message_id = ?2 LIMIT 1;

-- name: lately_sent
-- The recipients of a sender's last messages, newest message first.
SELECT r.message_id, r.ordinal, r.address, r.given, r.orcpt
FROM (
    SELECT id FROM message WHERE reverse_path = ?1 AND reverse_path != '' ORDER BY id DESC LIMIT ?2
) AS m
CROSS JOIN recipient AS r ON r.message_id = m.id
LIMIT ?3;

-- name: addressees
SELECT message_id, ordinal, address, given, orcpt FROM recipient WHERE message_id = ?;

-- name: add_later
-- At most ?7 for a recipient, and the same once.
INSERT INTO later (message_id, ordinal, at, report_id, action, text)
SELECT ?1, ?2, ?3, ?4, ?5, ?6
WHERE (SELECT count(*) FROM later WHERE message_id = ?1 AND ordinal IS ?2) < ?7
    AND NOT EXISTS (
        SELECT 1 FROM later
        WHERE message_id = ?1 AND ordinal IS ?2 AND report_id = ?4 AND action = ?5 AND text = ?6
    );

-- name: has_file
SELECT octets IS NULL FROM content WHERE message_id = ?;

-- name: free_pages
PRAGMA freelist_count;

-- name: give_back_page
PRAGMA incremental_vacuum(1);

-- name: took_mail
-- Nothing is written for one that was noted within the hour, but for one whose name was denied since.
INSERT INTO known_destination (name, took_mail_at) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET took_mail_at = ?2, denied_since = NULL
WHERE took_mail_at <= ?3 OR denied_since IS NOT NULL;

-- name: past
SELECT took_mail_at, denied_since FROM known_destination WHERE name = ?;

-- name: deny
UPDATE known_destination SET denied_since = ?2 WHERE name = ?1;

-- name: known_destinations
SELECT name FROM known_destination ORDER BY took_mail_at DESC, name LIMIT ?;

-- name: forget_known
DELETE FROM known_destination WHERE name IN (
    SELECT name FROM known_destination WHERE took_mail_at < ? ORDER BY took_mail_at LIMIT ?
);

-- name: learn
INSERT OR REPLACE INTO lesson (hosts, kind, value, reason, learned_at, until) VALUES (?, ?, ?, ?, ?, ?);

-- name: lessons
SELECT hosts, kind, value, reason, learned_at, until FROM lesson
WHERE until > ? ORDER BY learned_at DESC, hosts, kind LIMIT ?;

-- name: forget_lessons
DELETE FROM lesson WHERE (hosts, kind) IN (
    SELECT hosts, kind FROM lesson WHERE until <= ? ORDER BY until LIMIT ?
);

-- name: brake
INSERT OR REPLACE INTO brake (id, since, why, cause) VALUES (1, ?, ?, ?);

-- name: release_brake
DELETE FROM brake;

-- name: get_brake
SELECT since, why, cause FROM brake;
