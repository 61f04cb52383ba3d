-- The name of the secret that an organization on Turso is reached with; the secret itself is in no catalog.
ALTER TABLE organization_settings ADD COLUMN turso_secret TEXT;
