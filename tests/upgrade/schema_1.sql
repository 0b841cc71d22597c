-- A spool of schema 1, written by the last release that made such ones: tests/upgrade opens it.
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1112691792;
PRAGMA user_version = 1;
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
INSERT INTO "attempt" VALUES(794354201395265536,0,1,1767225600000,1767225660000,'interrupted','{"type":"we","cause":"interrupted","detail":"the server stopped during the attempt","host":"","address":"","phase":null}');
INSERT INTO "attempt" VALUES(794354201395265536,0,2,1767225600000,1767225662000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354461442113536,0,1,1767225662000,1767225662000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794354461442113536,1,1,1767225662000,1767225662000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794369560936513536,0,1,1767229262000,1767229262000,'stored','{"type":"we","cause":"stored","detail":"","host":"","address":"","phase":null}');
INSERT INTO "attempt" VALUES(794369560936513537,0,1,1767229262000,1767229262000,'relayed','{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794369560936513538,0,1,1767229262000,1767229262000,'refused','{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794369560936513540,0,1,1767229262000,1767229262000,'refused','{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794369560936513540,1,1,1767229262000,1767229262000,'put off','{"type":"peer","reply":{"code":451,"enhanced":{"klass":4,"subject":7,"detail":1},"lines":["Greylisted"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "attempt" VALUES(794369560936513542,0,1,1767229382000,1767229382000,'expired','{"type":"we","cause":"silent","detail":"and again","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
CREATE TABLE content (
    message_id INTEGER PRIMARY KEY,
    octets     BLOB,
    size       INTEGER NOT NULL,
    keep_until INTEGER                          -- null: a recipient still needs it
) STRICT;
INSERT INTO "content" VALUES(794369560936513537,X'5375626A6563743A20780D0A0D0A48656C6C6F0D0A',21,1767488462000);
INSERT INTO "content" VALUES(794369560936513538,X'5375626A6563743A20726566757365640D0A0D0A',20,1767488462000);
INSERT INTO "content" VALUES(794369560936513539,X'5375626A6563743A207265706F72740D0A0D0A',19,NULL);
INSERT INTO "content" VALUES(794369560936513540,X'5375626A6563743A2068616C660D0A0D0A',17,NULL);
INSERT INTO "content" VALUES(794369560936513541,X'5375626A6563743A20646561640D0A0D0A',17,NULL);
INSERT INTO "content" VALUES(794369560936513542,X'5375626A6563743A206F7665720D0A0D0A',17,1767488582000);
INSERT INTO "content" VALUES(794370064252993536,NULL,100000,NULL);
INSERT INTO "content" VALUES(794370064252993537,X'5375626A6563743A20C3BC6E746572776567730D0A0D0A',23,NULL);
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
INSERT INTO "destination" VALUES('dead.example',1767230162000,2,1767225662000,1767230162000,1767229262000,'{"type":"we","cause":"silent","detail":"no answer within 30 seconds","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "destination" VALUES('gone.example',1767315782000,5,1767142982000,1767315782000,1767229382000,'{"type":"we","cause":"silent","detail":"and again","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "destination" VALUES('slow.example',1767232862000,0,NULL,NULL,NULL,NULL);
CREATE TABLE epoch (
    id         INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL
) STRICT;
INSERT INTO "epoch" VALUES(1,1767225600000);
INSERT INTO "epoch" VALUES(2,1767225660000);
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
INSERT INTO "message" VALUES(794354201395265536,'alice@here.example',1767225600000,1767657600000,16,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794354201395265536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794354461442113536,'alice@here.example',1767225662000,1767657662000,16,2,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794354461442113536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513536,'alice@here.example',1767229262000,1767661262000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794369560936513536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513537,'alice@here.example',1767229262000,1767661262000,21,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794369560936513537@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513538,'alice@here.example',1767229262000,1767661262000,20,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794369560936513538@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513539,'',1767229262000,1767661262000,19,1,'7BIT',NULL,NULL,0,'192.0.2.1','client.example','mx',794369560936513538,'<794369560936513539@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513540,'alice@here.example',1767229262000,1767661262000,17,2,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794369560936513540@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513541,'alice@here.example',1767229262000,1767661262000,17,2,'7BIT',NULL,NULL,1,'192.0.2.1','client.example','mx',NULL,'<794369560936513541@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794369560936513542,'alice@here.example',1767229262000,1767229322000,17,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794369560936513542@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794370064252993536,'alice@here.example',1767229382000,1767661382000,100000,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794370064252993536@here.example>','Zwölf Boxkämpfer',0);
INSERT INTO "message" VALUES(794370064252993537,'alice@here.example',1767229382000,1767661382000,23,1,'7BIT',NULL,NULL,2,'192.0.2.1','client.example','mx',NULL,'<794370064252993537@here.example>','Zwölf Boxkämpfer',0);
CREATE TABLE owed (
    message_id INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    action     TEXT NOT NULL CHECK (action IN ('failed', 'delayed', 'delivered', 'relayed', 'expanded')),
    due_at     INTEGER NOT NULL,
    at         INTEGER NOT NULL,                -- when it came to be so
    report_id  INTEGER,                         -- null: still owed; 0: nobody was to be told
    PRIMARY KEY (message_id, ordinal, action)
) STRICT, WITHOUT ROWID;
INSERT INTO "owed" VALUES(794369560936513537,0,'relayed',1767229262000,1767229262000,NULL);
INSERT INTO "owed" VALUES(794369560936513538,0,'failed',1767229262000,1767229262000,794369560936513539);
INSERT INTO "owed" VALUES(794369560936513540,0,'failed',1767229262000,1767229262000,NULL);
INSERT INTO "owed" VALUES(794369560936513540,1,'delayed',1767243662000,1767229262000,NULL);
INSERT INTO "owed" VALUES(794369560936513542,0,'failed',1767229382000,1767229382000,NULL);
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
INSERT INTO "recipient" VALUES(794354201395265536,0,'cut@away.example',NULL,'away.example',0,NULL,2,4,NULL,NULL,2,1767657600000,1767225662000,1767225662000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354461442113536,0,'a@first.example',NULL,'first.example',0,NULL,2,4,NULL,NULL,1,1767657662000,1767225662000,1767225662000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794354461442113536,1,'b@second.example',NULL,'second.example',0,NULL,2,4,NULL,NULL,1,1767657662000,1767225662000,1767225662000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794369560936513536,0,'ann@here.example',NULL,'here.example',0,NULL,2,4,NULL,NULL,1,1767661262000,1767229262000,1767229262000,'{"type":"we","cause":"stored","detail":"","host":"","address":"","phase":null}');
INSERT INTO "recipient" VALUES(794369560936513537,0,'c@first.example',NULL,'first.example',1,NULL,2,4,NULL,NULL,1,1767661262000,1767229262000,1767229262000,'{"type":"peer","reply":{"code":250,"enhanced":{"klass":2,"subject":1,"detail":5},"lines":["Kept"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794369560936513538,0,'nobody@away.example',NULL,'away.example',0,NULL,2,5,NULL,NULL,1,1767661262000,1767229262000,1767229262000,'{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794369560936513539,0,'alice@here.example',NULL,'here.example',8,NULL,0,1,1767229262000,2,1,1767661262000,1767229262000,NULL,NULL);
INSERT INTO "recipient" VALUES(794369560936513540,0,'nobody@away.example',NULL,'away.example',0,NULL,2,5,NULL,NULL,1,1767661262000,1767229262000,1767229262000,'{"type":"peer","reply":{"code":550,"enhanced":{"klass":5,"subject":1,"detail":1},"lines":["No such user, é <b>"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794369560936513540,1,'late@slow.example',NULL,'slow.example',0,NULL,2,0,1767232862000,NULL,1,1767661262000,1767229262000,1767229262000,'{"type":"peer","reply":{"code":451,"enhanced":{"klass":4,"subject":7,"detail":1},"lines":["Greylisted"]},"host":"mx.away.example","address":"192.0.2.25","phase":"RCPT TO"}');
INSERT INTO "recipient" VALUES(794369560936513541,0,'eve@dead.example',NULL,'dead.example',0,NULL,1,0,1767229262000,NULL,0,1767661262000,1767229262000,1767229262000,'{"type":"we","cause":"silent","detail":"no answer within 30 seconds","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "recipient" VALUES(794369560936513541,1,'mallory@dead.example',NULL,'dead.example',0,NULL,1,0,1767229262000,NULL,0,1767661262000,1767229262000,1767229262000,'{"type":"we","cause":"silent","detail":"no answer within 30 seconds","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "recipient" VALUES(794369560936513542,0,'over@gone.example',NULL,'gone.example',0,NULL,2,6,NULL,NULL,0,1767229322000,1767229382000,1767229262000,'{"type":"we","cause":"silent","detail":"and again","host":"mx.dead.example","address":"192.0.2.7","phase":null}');
INSERT INTO "recipient" VALUES(794370064252993536,0,'big@slow.example',NULL,'slow.example',0,NULL,2,1,1767229382000,2,1,1767661382000,1767229382000,NULL,NULL);
INSERT INTO "recipient" VALUES(794370064252993537,0,'flying@away.example',NULL,'away.example',0,NULL,2,1,1767229382000,2,1,1767661382000,1767229382000,NULL,NULL);
CREATE INDEX message_about ON message (about) WHERE about IS NOT NULL;
CREATE INDEX recipient_due ON recipient (destination, priority, due_at) WHERE state = 0;
CREATE INDEX recipient_report_due ON recipient (due_at) WHERE state = 0 AND priority = 0;
CREATE INDEX recipient_expiry ON recipient (expires_at) WHERE state = 0;
CREATE INDEX recipient_in_flight ON recipient (destination) WHERE state = 1;
CREATE INDEX recipient_stopped ON recipient (state) WHERE state IN (2, 3);
CREATE INDEX destination_due ON destination (due_at);
CREATE INDEX destination_failing ON destination (name) WHERE failures > 0;
CREATE INDEX owed_due ON owed (due_at) WHERE report_id IS NULL;
CREATE INDEX content_keep ON content (keep_until) WHERE keep_until IS NOT NULL;
COMMIT;
