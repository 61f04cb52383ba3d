-- Ours alone, so that no column can collide with one that the older table may have.
-- No foreign key: the older table's id need not be one that SQLite accepts as its target.
CREATE TABLE organization_settings (
    organization_id TEXT PRIMARY KEY,
    turso_url TEXT,
    durability TEXT NOT NULL DEFAULT 'local' CHECK(durability IN ('local','replicated')),
    created_at TEXT
);
