-- What people ask about: read by the command line, on a connection that cannot write.

-- name: queue
-- Every recipient that has not come to its end, oldest first.
SELECT r.message_id, r.ordinal, m.reverse_path, r.address, m.octets, m.accepted_at, r.state, r.attempts,
    r.due_at, r.expires_at, r.finding, r.destination, d.failures, d.due_at, d.finding, m.subject
FROM recipient AS r
JOIN message AS m ON m.id = r.message_id
LEFT JOIN destination AS d ON d.name = r.destination
WHERE r.state IN (0, 1, 2, 3) AND (r.message_id, r.ordinal) > (?1, ?2)
ORDER BY r.message_id, r.ordinal LIMIT ?3;

-- name: queue_counts
SELECT state, count(*) FROM recipient WHERE state IN (0, 1, 2, 3) GROUP BY state;

-- name: message
SELECT id, reverse_path, accepted_at, expires_at, octets, recipient_count, body, ret, envid,
    priority, origin_address, origin_hello, origin_listener, about, message_id, subject, is_bulk
FROM message WHERE id = ?;

-- name: recipients
SELECT r.ordinal, r.address, r.given, r.destination, r.notify, r.orcpt, r.state, r.attempts, r.due_at,
    r.expires_at, r.changed_at, r.finding, d.failures, d.due_at, d.finding, d.failing_since
FROM recipient AS r LEFT JOIN destination AS d ON d.name = r.destination
WHERE r.message_id = ? ORDER BY r.ordinal LIMIT ?;

-- name: attempts
SELECT ordinal, number, began_at, ended_at, event, finding FROM attempt
WHERE message_id = ? ORDER BY began_at, ordinal, number LIMIT ?;

-- name: reports
SELECT o.ordinal, o.action, o.due_at, o.at, o.report_id, m.accepted_at FROM owed AS o
LEFT JOIN message AS m ON m.id = o.report_id
WHERE o.message_id = ? ORDER BY o.at, o.ordinal LIMIT ?;

-- name: trace
-- Messages from or to an address, newest first.
SELECT m.id, r.ordinal, m.reverse_path, r.address, m.accepted_at, r.state, r.changed_at, r.attempts,
    r.finding, m.subject
FROM message AS m JOIN recipient AS r ON r.message_id = m.id
WHERE m.reverse_path = ?1 COLLATE NOCASE OR r.address = ?1 COLLATE NOCASE OR r.given = ?1 COLLATE NOCASE
ORDER BY m.id DESC, r.ordinal LIMIT ?2;
