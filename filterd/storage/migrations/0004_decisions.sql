-- Requests for a second approver.
CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    method TEXT NOT NULL,
    request TEXT NOT NULL,
    summary TEXT NOT NULL,
    changes TEXT NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    expires TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'expired')),
    decided_by TEXT,
    decided_at TEXT,
    decision_reason TEXT
) STRICT;
CREATE INDEX approvals_state ON approvals (state);

-- Unblock requests and reports; without any field for who sent them.
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL CHECK (type IN ('unblock', 'harmful', 'other')),
    name TEXT NOT NULL,
    tier TEXT,
    note TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    opened TEXT NOT NULL,
    due TEXT NOT NULL,
    decision TEXT CHECK (decision IN ('accepted', 'refused', 'passed_on')),
    decided_at TEXT,
    office TEXT,
    reference TEXT,
    handed_at TEXT
) STRICT;
CREATE INDEX tickets_state ON tickets (state, id);
CREATE TABLE ticket_history (
    ticket INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    author TEXT NOT NULL,
    what TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX ticket_history_ticket ON ticket_history (ticket);
