-- Evidence about the filter. No column anywhere here can hold a client, a device or a queried name.

-- What was counted up to the last tick; one row.
CREATE TABLE exposure (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    enforcing INTEGER NOT NULL,
    exposed INTEGER NOT NULL,
    offline INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    tick TEXT
) STRICT;

-- Milliseconds of each local day, whole and within the service hours.
CREATE TABLE exposure_days (
    day TEXT PRIMARY KEY,
    enforcing INTEGER NOT NULL, exposed INTEGER NOT NULL,
    offline INTEGER NOT NULL, paused INTEGER NOT NULL,
    s_enforcing INTEGER NOT NULL, s_exposed INTEGER NOT NULL,
    s_offline INTEGER NOT NULL, s_paused INTEGER NOT NULL,
    jumps INTEGER NOT NULL
) STRICT;

-- Runs of the self-test, counts only; `counts` and `failed` are JSON.
CREATE TABLE selftests (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    day TEXT NOT NULL,
    scheduled INTEGER NOT NULL,
    executed INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    counts TEXT NOT NULL,
    failed TEXT NOT NULL
) STRICT;
CREATE INDEX selftests_day ON selftests (day);

-- Signed summaries, as sent. `answer` is what the office said of a refused one.
CREATE TABLE summaries (
    counter INTEGER PRIMARY KEY,
    day TEXT NOT NULL,
    digest TEXT NOT NULL,
    envelope BLOB NOT NULL,
    sent_at TEXT,
    answer TEXT
) STRICT;
CREATE INDEX summaries_day ON summaries (day);
CREATE TRIGGER summaries_stay BEFORE UPDATE OF counter, day, digest, envelope ON summaries
BEGIN SELECT RAISE(ABORT, 'a signed summary is never changed'); END;

-- The open month's cells, kept as the safe bounds that a release needs and nothing finer.
CREATE TABLE month_cells (
    month TEXT NOT NULL,
    tier TEXT NOT NULL,
    category TEXT NOT NULL,
    events INTEGER NOT NULL,
    clients INTEGER NOT NULL,
    top INTEGER NOT NULL,
    PRIMARY KEY (month, tier, category)
) STRICT;

-- Months that were released, with what went out: none goes out twice.
CREATE TABLE releases (
    month TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
