-- A catalog of the older system has this table, with columns of its own besides; it stays as it is.
CREATE TABLE IF NOT EXISTS organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
);
