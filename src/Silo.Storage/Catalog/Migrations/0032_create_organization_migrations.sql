-- The last migration of each organization between Turso and SQLite. Whose operation_id this is goes on with it, and nobody else.
CREATE TABLE organization_migrations (
    organization_id TEXT PRIMARY KEY,
    operation_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    step TEXT NOT NULL,
    started_at TEXT NOT NULL,
    renewed_at TEXT NOT NULL,
    finished_at TEXT,
    flipped_at TEXT,
    verified_at TEXT,
    problem TEXT,
    report TEXT
);
