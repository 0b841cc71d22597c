-- A spool of schema 2, written by the last release that made such ones: tests/upgrade opens it.
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1112691792;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
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
INSERT INTO "attempt" VALUES(794354201395265536,0,1,1767225600000,1767225600000,'interrupted','{"type":"we","cause":"interrupted","detail":"the server stopped during the attempt","host":"","address":"","phase":null}');
INSERT INTO "attempt" VALUES(794354201395265536,0,2,1767225660000,1767225660000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354453053505536,0,1,1767225660000,1767225660000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354453053505536,1,1,1767225660000,1767225660000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354453053505537,0,1,1767225660000,1767225660000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354453053505538,0,1,1767225660000,1767225660000,'put off','{"type":"peer","reply":{"code":451,"enhanced":{"klass":4,"subject":7,"detail":1},"lines":["Greylisted"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354453053505538,1,1,1767225660000,1767225660000,'refused','{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354453053505539,0,1,1767225660000,1767225660000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794357221294145536,0,1,1767226320000,1767226320000,'refused','{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user here"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794357221294145537,0,1,1767226320000,1767226320000,'put off','{"type":"peer","reply":{"code":451,"enhanced":{"klass":4,"subject":7,"detail":1},"lines":["Greylisted"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794357221294145538,0,1,1767226320000,1767226320000,'stored','{"type":"we","cause":"stored","detail":"","host":"","address":"","phase":null}');
INSERT INTO "attempt" VALUES(794357221294145539,0,1,1767226320000,1767226320000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794357221294145540,0,1,1767226320000,1767226320000,'refused','{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794357221294145541,0,1,1767226440000,1767226440000,'expired','{"type":"we","cause":"silent","detail":"and again","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "attempt" VALUES(794357221294145542,0,1,1767226320000,1767226320000,'refused','{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794357724610625536,0,1,1767226440000,1767226440000,'stored','{"type":"we","cause":"stored","detail":"","host":"","address":"","phase":null}');
CREATE TABLE brake (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    since INTEGER NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('lie', 'number', 'person')),
    why   TEXT NOT NULL
) STRICT;
INSERT INTO "brake" VALUES(1,1767226440000,'person','by hand');
CREATE TABLE content (
    message_id INTEGER PRIMARY KEY,
    octets     BLOB,
    size       INTEGER NOT NULL,
    keep_until INTEGER                          -- null: a recipient still needs it
) STRICT;
INSERT INTO "content" VALUES(794354453053505538,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,NULL);
INSERT INTO "content" VALUES(794357221294145536,X'5375626A6563743A207265706F72740D0A0D0A',19,1767485520000);
INSERT INTO "content" VALUES(794357221294145537,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,NULL);
INSERT INTO "content" VALUES(794357221294145539,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,1767485520000);
INSERT INTO "content" VALUES(794357221294145540,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,1767485520000);
INSERT INTO "content" VALUES(794357221294145541,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,1767485640000);
INSERT INTO "content" VALUES(794357221294145542,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,1767485520000);
INSERT INTO "content" VALUES(794357221294145543,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,NULL);
INSERT INTO "content" VALUES(794357724610625536,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,1767485640000);
INSERT INTO "content" VALUES(794357724610625537,X'5375626A6563743A20C3BC6E746572776567730D0A0D0A',23,NULL);
INSERT INTO "content" VALUES(794357724610625538,NULL,100000,NULL);
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
INSERT INTO "destination" VALUES('dead.example',1767229920000,2,1767226320000,1767229920000,1767226320000,'{"type":"we","cause":"silent","detail":"no answer within 30 seconds","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "destination" VALUES('gone.example',1767230040000,6,1767222840000,1767230040000,1767226440000,'{"type":"we","cause":"silent","detail":"and again","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "destination" VALUES('slow.example',1767229260000,0,NULL,NULL,NULL,NULL);
CREATE TABLE epoch (
    id         INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL
) STRICT;
INSERT INTO "epoch" VALUES(1,1767225600000);
INSERT INTO "epoch" VALUES(2,1767225600000);
CREATE TABLE kept (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    octets INTEGER NOT NULL CHECK (octets >= 0)
) STRICT;
INSERT INTO "kept" VALUES(1,124);
CREATE TABLE known_destination (
    name         TEXT PRIMARY KEY,
    took_mail_at INTEGER NOT NULL,              -- to the hour
    denied_since INTEGER                        -- null: the DNS does not say that there is no such name
) STRICT, WITHOUT ROWID;
INSERT INTO "known_destination" VALUES('away.example',1767225660000,NULL);
INSERT INTO "known_destination" VALUES('first.example',1767225660000,NULL);
INSERT INTO "known_destination" VALUES('here.example',1767225660000,NULL);
INSERT INTO "known_destination" VALUES('second.example',1767225660000,NULL);
INSERT INTO "known_destination" VALUES('third.example',1767225660000,1767226440000);
CREATE TABLE lesson (
    hosts      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    value      INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    learned_at INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (hosts, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO "lesson" VALUES('mx1.first.example mx2.first.example','connections',2,'421 4.7.0 Too many connections',1767226440000,1767312840000);
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
INSERT INTO "message" VALUES(794354201395265536,'alice@here.example',1767225600000,1767657600000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794354201395265536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794354453053505536,'alice@here.example',1767225660000,1767657660000,21,2,'7BIT',NULL,'QQ+2B314159',2,'192.0.2.1','client.example','mx',NULL,'<794354453053505536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794354453053505537,'alice@here.example',1767225660000,1767657660000,21,1,'7BIT',NULL,'list+2D42',2,'192.0.2.1','client.example','mx',NULL,'<given.by.alice@client.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794354453053505538,'alice@here.example',1767225660000,1767657660000,21,2,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794354453053505538@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794354453053505539,'',1767225660000,1767657660000,19,1,'7BIT',NULL,NULL,0,'192.0.2.1','client.example','mx',794354453053505538,'<794354453053505539@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145536,'',1767226320000,1767658320000,19,1,'7BIT',NULL,NULL,0,'192.0.2.1','client.example','mx',794354453053505538,'<794357221294145536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145537,'alice@here.example',1767226320000,1767658320000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357221294145537@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145538,'alice@here.example',1767226320000,1767658320000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357221294145538@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145539,'alice@here.example',1767226320000,1767658320000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357221294145539@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145540,'alice@here.example',1767226320000,1767658320000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357221294145540@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145541,'alice@here.example',1767226320000,1767226380000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357221294145541@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145542,'',1767226320000,1767658320000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357221294145542@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357221294145543,'alice@here.example',1767226320000,1767658320000,21,2,'7BIT',NULL,NULL,1,'192.0.2.1','client.example','mx',NULL,'<794357221294145543@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357724610625536,'alice@here.example',1767226440000,1767658440000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357724610625536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357724610625537,'alice@here.example',1767226440000,1767658440000,23,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357724610625537@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794357724610625538,'alice@here.example',1767226440000,1767658440000,100000,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794357724610625538@here.example>','Zwölf Boxkämpfer',0);
CREATE TABLE owed (
    message_id INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    action     TEXT NOT NULL CHECK (action IN ('failed', 'delayed', 'delivered', 'relayed', 'expanded')),
    due_at     INTEGER NOT NULL,
    at         INTEGER NOT NULL,                -- when it came to be so
    report_id  INTEGER,                         -- null: still owed; 0: nobody was to be told
    PRIMARY KEY (message_id, ordinal, action)
) STRICT, WITHOUT ROWID;
INSERT INTO "owed" VALUES(794354453053505538,0,'delayed',1767226260000,1767225660000,794357221294145536);
INSERT INTO "owed" VALUES(794354453053505538,1,'failed',1767225660000,1767225660000,794354453053505539);
INSERT INTO "owed" VALUES(794357221294145537,0,'delayed',1767240720000,1767226320000,NULL);
INSERT INTO "owed" VALUES(794357221294145539,0,'relayed',1767226320000,1767226320000,NULL);
INSERT INTO "owed" VALUES(794357221294145540,0,'failed',1767226320000,1767226320000,NULL);
INSERT INTO "owed" VALUES(794357221294145541,0,'failed',1767226440000,1767226440000,NULL);
INSERT INTO "owed" VALUES(794357221294145543,0,'delayed',1767240720000,1767226320000,NULL);
INSERT INTO "owed" VALUES(794357221294145543,1,'delayed',1767240720000,1767226320000,NULL);
INSERT INTO "owed" VALUES(794357724610625536,0,'expanded',1767226440000,1767226440000,NULL);
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
INSERT INTO "recipient" VALUES(794354201395265536,0,'cut@away.example',NULL,'away.example',0,NULL,2,4,NULL,NULL,2,1767657600000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354453053505536,0,'a@first.example',NULL,'first.example',0,NULL,2,4,NULL,NULL,1,1767657660000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354453053505536,1,'b@second.example',NULL,'second.example',0,NULL,2,4,NULL,NULL,1,1767657660000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354453053505537,0,'Bob@third.example',NULL,'third.example',0,NULL,2,4,NULL,NULL,1,1767657660000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354453053505538,0,'late@slow.example',NULL,'slow.example',0,NULL,2,0,1767229260000,NULL,1,1767657660000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":451,"enhanced":{"klass":4,"subject":7,"detail":1},"lines":["Greylisted"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354453053505538,1,'nobody@away.example',NULL,'away.example',0,NULL,2,5,NULL,NULL,1,1767657660000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354453053505539,0,'alice@here.example',NULL,'here.example',8,NULL,0,4,NULL,NULL,1,1767657660000,1767225660000,1767225660000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794357221294145536,0,'alice@here.example',NULL,'here.example',8,NULL,0,5,NULL,NULL,1,1767658320000,1767226320000,1767226320000,'{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user here"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794357221294145537,0,'soon@slow.example',NULL,'slow.example',0,NULL,2,0,1767233520000,NULL,1,1767658320000,1767226320000,1767226320000,'{"type":"peer","reply":{"code":451,"enhanced":{"klass":4,"subject":7,"detail":1},"lines":["Greylisted"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794357221294145538,0,'ann@here.example',NULL,'here.example',0,NULL,2,4,NULL,NULL,1,1767658320000,1767226320000,1767226320000,'{"type":"we","cause":"stored","detail":"","host":"","address":"","phase":null}');
INSERT INTO "recipient" VALUES(794357221294145539,0,'c@first.example',NULL,'first.example',1,NULL,2,4,NULL,NULL,1,1767658320000,1767226320000,1767226320000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794357221294145540,0,'nobody@away.example',NULL,'away.example',0,NULL,2,5,NULL,NULL,1,1767658320000,1767226320000,1767226320000,'{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794357221294145541,0,'over@gone.example',NULL,'gone.example',0,NULL,2,6,NULL,NULL,0,1767226380000,1767226440000,1767226320000,'{"type":"we","cause":"silent","detail":"and again","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "recipient" VALUES(794357221294145542,0,'nobody@away.example',NULL,'away.example',0,NULL,2,5,NULL,NULL,1,1767658320000,1767226320000,1767226320000,'{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794357221294145543,0,'eve@dead.example',NULL,'dead.example',0,NULL,1,0,1767226320000,NULL,0,1767658320000,1767226320000,1767226320000,'{"type":"we","cause":"silent","detail":"no answer within 30 seconds","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "recipient" VALUES(794357221294145543,1,'mallory@dead.example',NULL,'dead.example',0,NULL,1,0,1767226320000,NULL,0,1767658320000,1767226320000,1767226320000,'{"type":"we","cause":"silent","detail":"no answer within 30 seconds","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "recipient" VALUES(794357724610625536,0,'dora@here.example','team@here.example','here.example',0,NULL,2,4,NULL,NULL,1,1767658440000,1767226440000,1767226440000,'{"type":"we","cause":"stored","detail":"","host":"","address":"","phase":null}');
INSERT INTO "recipient" VALUES(794357724610625537,0,'flying@away.example',NULL,'away.example',0,NULL,2,1,1767226440000,2,1,1767658440000,1767226440000,NULL,NULL);
INSERT INTO "recipient" VALUES(794357724610625538,0,'big@slow.example',NULL,'slow.example',0,NULL,2,1,1767226440000,2,1,1767658440000,1767226440000,NULL,NULL);
CREATE INDEX message_about ON message (about) WHERE about IS NOT NULL;
CREATE INDEX recipient_due ON recipient (destination, priority, due_at, state) WHERE state = 0;
CREATE INDEX recipient_report_due ON recipient (due_at) WHERE state = 0 AND priority = 0;
CREATE INDEX recipient_expiry ON recipient (expires_at, message_id, ordinal, state) WHERE state = 0;
CREATE INDEX recipient_in_flight ON recipient (destination, state) WHERE state = 1;
CREATE INDEX recipient_stopped ON recipient (state) WHERE state IN (2, 3);
CREATE INDEX destination_due ON destination (due_at);
CREATE INDEX destination_failing ON destination (name) WHERE failures > 0;
CREATE INDEX owed_due ON owed (due_at) WHERE report_id IS NULL;
CREATE INDEX content_keep ON content (keep_until) WHERE keep_until IS NOT NULL;
CREATE INDEX known_destination_age ON known_destination (took_mail_at);
CREATE INDEX lesson_until ON lesson (until);
COMMIT;
