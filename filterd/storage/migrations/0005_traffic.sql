-- Counts by tier and time, and by category and day. NULL: fewer than ten clients took part; the
-- number is not kept at all.
CREATE TABLE traffic (
    step INTEGER NOT NULL CHECK (step IN (900, 86400)),
    start TEXT NOT NULL,
    tier TEXT NOT NULL,
    queries INTEGER,
    blocked INTEGER,
    PRIMARY KEY (step, start, tier)
) STRICT, WITHOUT ROWID;
CREATE TABLE traffic_categories (
    day TEXT NOT NULL,
    tier TEXT NOT NULL,
    category TEXT NOT NULL,
    blocked INTEGER,
    PRIMARY KEY (day, tier, category)
) STRICT, WITHOUT ROWID;
