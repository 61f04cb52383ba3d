-- When each organization is used, in one row of bounded size. DOUBLE PRECISION and TEXT mean the same to SQLite and PostgreSQL.
CREATE TABLE organization_usage (
    organization_id TEXT PRIMARY KEY,
    usage_rank DOUBLE PRECISION NOT NULL,
    last_used_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    version INTEGER NOT NULL,
    profile TEXT NOT NULL
);
CREATE INDEX organization_usage_rank ON organization_usage (usage_rank);
CREATE INDEX organization_usage_changed ON organization_usage (changed_at);
