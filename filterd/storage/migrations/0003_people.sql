-- Accounts of staff; never of pupils.
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    title TEXT NOT NULL,
    role TEXT NOT NULL
        CHECK (role IN ('viewer', 'teacher', 'administrator', 'approver', 'inspector')),
    segments TEXT NOT NULL,
    language TEXT NOT NULL,
    password TEXT NOT NULL,
    must_change INTEGER NOT NULL,
    totp_secret BLOB,
    totp_pending BLOB,
    totp_step INTEGER NOT NULL DEFAULT 0,
    locked INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL,
    last_login TEXT
) STRICT;
CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    PRIMARY KEY (account, hash)
) STRICT;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    since TEXT NOT NULL,
    last TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    proven INTEGER NOT NULL
) STRICT;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    scopes TEXT NOT NULL,
    expires TEXT,
    created TEXT NOT NULL,
    last_used TEXT
) STRICT;
-- Wrong sign-ins by account and address: what the growing delay is reckoned from.
CREATE TABLE sign_in_failures (key TEXT PRIMARY KEY, count INTEGER NOT NULL, last TEXT NOT NULL) STRICT;
