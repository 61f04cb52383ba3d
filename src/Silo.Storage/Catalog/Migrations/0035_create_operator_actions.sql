-- What operators did, or tried. status is that of the answer; NULL when the process ended before there was one.
CREATE TABLE operator_actions (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    operator TEXT,
    source TEXT,
    action TEXT NOT NULL,
    organization_id TEXT,
    trace_id TEXT,
    status INTEGER
);
