-- What people ask about: read by the command line, on a connection that cannot write.
--
-- The history can be large and the queue too, so every question has a limit and finds its rows by an index;
-- where there is none (who wrote to whom), it is asked for a stretch of ids at a time. The statements that
-- show recipients give the columns of `entry_from_row` in views.py, in its order.

-- name: queue
-- Recipients that have not come to their end, oldest first: of destinations from ?1 to ?2, in the state ?3,
-- not due before ?4; null stands for all.
WITH chosen (message_id, ordinal) AS (
    SELECT r.message_id, r.ordinal FROM recipient AS r INDEXED BY recipient_due
    WHERE r.state = 0 AND r.destination BETWEEN ?1 AND ?2 AND (?3 IS NULL OR ?3 = 0)
        AND (?4 IS NULL OR r.due_at > ?4 OR EXISTS (
            SELECT 1 FROM destination AS d
            WHERE d.name = r.destination AND d.failures > 0 AND d.due_at > ?4
        ))
    UNION ALL
    SELECT r.message_id, r.ordinal FROM recipient AS r INDEXED BY recipient_in_flight
    WHERE r.state = 1 AND r.destination BETWEEN ?1 AND ?2 AND (?3 IS NULL OR ?3 = 1) AND ?4 IS NULL
    UNION ALL
    SELECT r.message_id, r.ordinal FROM recipient AS r
    WHERE r.state IN (2, 3) AND r.destination BETWEEN ?1 AND ?2 AND (?3 IS NULL OR r.state = ?3)
        AND ?4 IS NULL
    ORDER BY 1, 2 LIMIT ?5
)
SELECT
    m.id, m.reverse_path, m.accepted_at, m.expires_at, m.octets, m.recipient_count, m.body, m.ret, m.envid,
    m.priority, m.origin_address, m.origin_hello, m.origin_listener, m.about, m.message_id, m.subject,
    m.is_bulk, r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, r.state, r.due_at, r.epoch,
    r.attempts, r.changed_at, r.expires_at, r.finding, r.first_outcome_at,
    d.failures, d.due_at, d.finding, d.failing_since, d.found_at
FROM chosen AS c
JOIN message AS m ON m.id = c.message_id
JOIN recipient AS r ON r.message_id = c.message_id AND r.ordinal = c.ordinal
LEFT JOIN destination AS d ON d.name = r.destination AND d.failures > 0
ORDER BY c.message_id, c.ordinal;

-- name: queue_counts
-- How many there are of what `queue` shows, by state, and whether their destination is failing.
WITH chosen (state, destination) AS (
    SELECT r.state, r.destination FROM recipient AS r INDEXED BY recipient_due
    WHERE r.state = 0 AND r.destination BETWEEN ?1 AND ?2 AND (?3 IS NULL OR ?3 = 0)
        AND (?4 IS NULL OR r.due_at > ?4 OR EXISTS (
            SELECT 1 FROM destination AS d
            WHERE d.name = r.destination AND d.failures > 0 AND d.due_at > ?4
        ))
    UNION ALL
    SELECT r.state, r.destination FROM recipient AS r INDEXED BY recipient_in_flight
    WHERE r.state = 1 AND r.destination BETWEEN ?1 AND ?2 AND (?3 IS NULL OR ?3 = 1) AND ?4 IS NULL
    UNION ALL
    SELECT r.state, r.destination FROM recipient AS r
    WHERE r.state IN (2, 3) AND r.destination BETWEEN ?1 AND ?2 AND (?3 IS NULL OR r.state = ?3)
        AND ?4 IS NULL
)
SELECT c.state,
    EXISTS (SELECT 1 FROM destination AS d WHERE d.name = c.destination AND d.failures > 0) AS is_failing,
    count(*)
FROM chosen AS c GROUP BY 1, 2;

-- name: message
-- A message and its recipients.
SELECT
    m.id, m.reverse_path, m.accepted_at, m.expires_at, m.octets, m.recipient_count, m.body, m.ret, m.envid,
    m.priority, m.origin_address, m.origin_hello, m.origin_listener, m.about, m.message_id, m.subject,
    m.is_bulk, r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, r.state, r.due_at, r.epoch,
    r.attempts, r.changed_at, r.expires_at, r.finding, r.first_outcome_at,
    d.failures, d.due_at, d.finding, d.failing_since, d.found_at
FROM message AS m
JOIN recipient AS r ON r.message_id = m.id
LEFT JOIN destination AS d ON d.name = r.destination AND d.failures > 0
WHERE m.id = ?1 ORDER BY r.ordinal LIMIT ?2;

-- name: attempts
-- What each attempt found, for the recipients below an ordinal.
SELECT ordinal, number, began_at, ended_at, event, finding FROM attempt
WHERE message_id = ?1 AND ordinal < ?2 ORDER BY ordinal, number LIMIT ?3;

-- name: reports
-- The reports that a message made us owe, sent or not; how it was accepted is asked of what has gone through.
SELECT o.ordinal, o.action, o.due_at, o.at, o.report_id, m.accepted_at, o.number,
    CASE o.action WHEN 'cleared' THEN (
        SELECT event FROM attempt AS a WHERE a.message_id = o.message_id AND a.ordinal = o.ordinal
        ORDER BY number DESC LIMIT 1
    ) END
FROM owed AS o
LEFT JOIN message AS m ON m.id = o.report_id
WHERE o.message_id = ?1 AND o.ordinal < ?2 ORDER BY o.at, o.ordinal, o.action, o.number LIMIT ?3;

-- name: later
-- What others reported of a message later, and which host brought that; null where that is forgotten.
SELECT l.ordinal, l.at, l.report_id, l.action, l.text, m.origin_hello FROM later AS l
LEFT JOIN message AS m ON m.id = l.report_id
WHERE l.message_id = ?1 ORDER BY l.at, l.rowid LIMIT ?2;

-- name: reports_made
-- Reports of ours within a stretch of ids, newest first; ?3: only those that could not be delivered.
SELECT
    m.id, m.reverse_path, m.accepted_at, m.expires_at, m.octets, m.recipient_count, m.body, m.ret, m.envid,
    m.priority, m.origin_address, m.origin_hello, m.origin_listener, m.about, m.message_id, m.subject,
    m.is_bulk, r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, r.state, r.due_at, r.epoch,
    r.attempts, r.changed_at, r.expires_at, r.finding, r.first_outcome_at,
    d.failures, d.due_at, d.finding, d.failing_since, d.found_at
FROM message AS m
JOIN recipient AS r ON r.message_id = m.id
LEFT JOIN destination AS d ON d.name = r.destination AND d.failures > 0
WHERE m.id >= ?1 AND m.id < ?2 AND m.about IS NOT NULL AND (NOT ?3 OR r.state IN (5, 6))
ORDER BY m.id DESC, r.ordinal LIMIT ?4;

-- name: others_waiting
-- How many other recipients wait for a destination, counted up to a limit.
SELECT count(*) FROM (
    SELECT 1 FROM recipient WHERE state = 0 AND destination = ?1 AND message_id != ?2 LIMIT ?3
);

-- name: stretch
-- Where a stretch of so many ids below another one begins; null when there are none.
SELECT min(id) FROM (SELECT id FROM message WHERE id < ?1 ORDER BY id DESC LIMIT ?2);

-- name: trace
-- Messages from or to an address within a stretch of ids, newest first.
SELECT
    m.id, m.reverse_path, m.accepted_at, m.expires_at, m.octets, m.recipient_count, m.body, m.ret, m.envid,
    m.priority, m.origin_address, m.origin_hello, m.origin_listener, m.about, m.message_id, m.subject,
    m.is_bulk, r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, r.state, r.due_at, r.epoch,
    r.attempts, r.changed_at, r.expires_at, r.finding, r.first_outcome_at,
    d.failures, d.due_at, d.finding, d.failing_since, d.found_at
FROM message AS m
JOIN recipient AS r ON r.message_id = m.id
LEFT JOIN destination AS d ON d.name = r.destination AND d.failures > 0
WHERE m.id >= ?1 AND m.id < ?2 AND (
    m.reverse_path = ?3 COLLATE NOCASE OR r.address = ?3 COLLATE NOCASE OR r.given = ?3 COLLATE NOCASE
)
ORDER BY m.id DESC, r.ordinal LIMIT ?4;

-- name: failing_names
-- Destinations that fail, of those whose name is like ?1; null for all.
SELECT name FROM destination INDEXED BY destination_failing
WHERE failures > 0 AND (?1 IS NULL OR name GLOB ?1) LIMIT ?2;

-- name: living_names
-- Destinations that do not fail and for which there is mail, likewise.
SELECT name FROM destination WHERE failures = 0 AND (?1 IS NULL OR name GLOB ?1)
UNION
SELECT r.destination FROM recipient AS r
WHERE r.state = 1 AND (?1 IS NULL OR r.destination GLOB ?1)
    AND NOT EXISTS (SELECT 1 FROM destination AS d WHERE d.name = r.destination AND d.failures > 0)
LIMIT ?2;

-- name: is_destination
-- Whether anything is known of a destination.
SELECT EXISTS (SELECT 1 FROM destination WHERE name = ?1)
    OR EXISTS (SELECT 1 FROM known_destination WHERE name = ?1)
    OR EXISTS (SELECT 1 FROM recipient WHERE state = 1 AND destination = ?1);

-- name: waiting_at
-- How many wait for a destination, counted up to a limit.
SELECT count(*) FROM (SELECT 1 FROM recipient WHERE state = 0 AND destination = ?1 LIMIT ?2);

-- name: in_flight_to
SELECT count(*) FROM recipient WHERE state = 1 AND destination = ?1;

-- name: destination
-- What is known of a destination; one row, whatever that is.
SELECT d.failures, d.failing_since, d.probe_at, d.found_at, d.finding, k.took_mail_at, k.denied_since
FROM (SELECT ?1 AS name) AS n
LEFT JOIN destination AS d ON d.name = n.name
LEFT JOIN known_destination AS k ON k.name = n.name;

-- name: lessons
SELECT hosts, kind, value, reason, learned_at, until FROM lesson
ORDER BY learned_at DESC, hosts, kind LIMIT ?;

-- name: brake
SELECT since, why, cause FROM brake;
