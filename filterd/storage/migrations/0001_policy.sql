-- Policy revisions: append-only; the newest is the running one.
CREATE TABLE revisions (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    author TEXT NOT NULL,
    approver TEXT,
    reason TEXT NOT NULL,
    files TEXT NOT NULL,
    hash TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    weakens INTEGER NOT NULL,
    changes TEXT NOT NULL
) STRICT;
CREATE TRIGGER revisions_stay BEFORE UPDATE ON revisions
BEGIN SELECT RAISE(ABORT, 'revisions are never changed'); END;
CREATE TRIGGER revisions_remain BEFORE DELETE ON revisions
BEGIN SELECT RAISE(ABORT, 'revisions are never deleted'); END;

-- Drafts of the console: one for each account.
CREATE TABLE drafts (
    account TEXT PRIMARY KEY,
    base INTEGER NOT NULL,
    files TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

-- Small values of the service that must survive a restart.
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
