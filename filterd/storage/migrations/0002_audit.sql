-- Who changed what: append-only, each row sealed with the hash of the row before.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    before_hash TEXT NOT NULL,
    after_hash TEXT NOT NULL,
    approver TEXT NOT NULL,
    previous TEXT NOT NULL,
    seal TEXT NOT NULL
) STRICT;
CREATE INDEX audit_action ON audit (action);
CREATE INDEX audit_actor ON audit (actor);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is never deleted'); END;
