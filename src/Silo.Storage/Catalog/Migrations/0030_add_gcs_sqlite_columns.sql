-- What this system adds to the older system's table: its rows stay 'turso' until they are migrated.
-- Columns that a file has already are left out (CatalogMigrations).
ALTER TABLE organizations ADD COLUMN db_type TEXT DEFAULT 'turso' CHECK(db_type IN ('turso','sqlite'));
ALTER TABLE organizations ADD COLUMN gcs_bucket_name TEXT;
ALTER TABLE organizations ADD COLUMN gcs_replica_path TEXT;
ALTER TABLE organizations ADD COLUMN is_db_provisioning INTEGER DEFAULT 0;
