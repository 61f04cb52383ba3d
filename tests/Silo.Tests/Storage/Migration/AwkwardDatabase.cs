using System.Globalization;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Migration;

/// <summary>A database with everything that is awkward to move, the same for the same seed.</summary>
internal static class AwkwardDatabase
{
    private const int Seed = 20261127;

    private const string Schema = """
        CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, company TEXT, agent_id TEXT, created_at TEXT, updated_at TEXT, notes TEXT, score REAL);
        CREATE INDEX contacts_company ON contacts (company COLLATE NOCASE, name DESC) WHERE company IS NOT NULL;
        CREATE INDEX contacts_lower ON contacts (lower(email));
        CREATE TABLE anything (n INTEGER PRIMARY KEY, v);
        CREATE TABLE blobs (n INTEGER PRIMARY KEY, v BLOB) STRICT;
        CREATE TABLE reals (n INTEGER PRIMARY KEY, v REAL);
        CREATE TABLE numbers (v NUMERIC);
        CREATE TABLE texts (v TEXT COLLATE NOCASE, w VARCHAR(3));
        CREATE TABLE broken_texts (n INTEGER PRIMARY KEY, v TEXT);
        CREATE TABLE broken_keys (v TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE infinities (n INTEGER PRIMARY KEY, v REAL);
        CREATE TABLE generated (a INTEGER, b TEXT, c AS (a * 2), d TEXT GENERATED ALWAYS AS (b || '!') STORED, e INTEGER DEFAULT (1 + 1));
        CREATE TABLE without_rowid (a TEXT, b INTEGER, v BLOB, PRIMARY KEY (b DESC, a COLLATE NOCASE)) WITHOUT ROWID;
        CREATE TABLE mixed_keys (k PRIMARY KEY, v) WITHOUT ROWID;
        CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
        CREATE TABLE emptied (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
        CREATE TABLE composite (a INT, b INT, v TEXT, PRIMARY KEY (a, b), UNIQUE (v, b));
        CREATE TABLE empty_table (a, b);
        CREATE TABLE "quoted ""name"" [x] ORDER BY 1" ("a b" TEXT, "select" INTEGER, "rowid" TEXT, 'it''s' BLOB);
        CREATE TABLE not_an_alias (id INTEGER PRIMARY KEY DESC, v TEXT);
        CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
        CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id) ON DELETE CASCADE, v TEXT CHECK (length(v) < 100));
        CREATE TABLE large (n INTEGER PRIMARY KEY, t TEXT, b BLOB);
        CREATE TABLE log (at TEXT, what TEXT, contact TEXT REFERENCES contacts (id));
        CREATE UNIQUE INDEX parent_upper ON parent (upper(name));
        CREATE VIRTUAL TABLE contacts_fts USING fts5(name, notes, content='contacts', content_rowid='rowid', tokenize='unicode61 remove_diacritics 2');
        CREATE VIRTUAL TABLE documents USING fts5(title, body, prefix='2 3');
        CREATE VIRTUAL TABLE places USING rtree(id, x0, x1, y0, y1);
        CREATE VIEW companies AS SELECT company, count(*) AS contacts FROM contacts GROUP BY company;
        CREATE VIEW parents (id, upper_name) AS SELECT id, upper(name) FROM parent;
        CREATE TRIGGER contacts_ai AFTER INSERT ON contacts BEGIN INSERT INTO contacts_fts (rowid, name, notes) VALUES (new.rowid, new.name, new.notes); END;
        CREATE TRIGGER contacts_ad AFTER DELETE ON contacts BEGIN INSERT INTO contacts_fts (contacts_fts, rowid, name, notes) VALUES ('delete', old.rowid, old.name, old.notes); END;
        CREATE TRIGGER contacts_log AFTER UPDATE OF name ON contacts BEGIN INSERT INTO log VALUES ('now', old.name || ' -> ' || new.name, new.id); END;
        CREATE TRIGGER parents_insert INSTEAD OF INSERT ON parents BEGIN INSERT INTO parent (id, name) VALUES (new.id, new.upper_name); END;
        PRAGMA user_version = 7;
        """;

    /// <summary>Makes all of it.</summary>
    public static async Task FillAsync(TursoDatabase database, CancellationToken cancellationToken)
    {
        await database.ExecuteScriptAsync(Schema, cancellationToken);
        foreach (var part in Rows().Chunk(100)) await database.ExecuteAllAsync(part, cancellationToken);
        await database.ExecuteScriptAsync("DELETE FROM emptied; DELETE FROM counted WHERE id % 3 = 0; DELETE FROM texts WHERE rowid % 5 = 0", cancellationToken);
    }

    private static IEnumerable<TursoStatement> Rows()
    {
        var random = new Random(Seed);
        for (var i = 0; i < 300; i++)
        {
            yield return new TursoStatement(
                "INSERT INTO contacts (rowid, id, name, email, phone, company, created_at, notes, score) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                i * 3 - 5, $"{i:x32}", $"Ångström {i} 👩‍👩‍👧‍👦", i % 7 == 0 ? TursoValue.Null : $"c{i}@example.org", $"+49 30 {i}", i % 5 == 0 ? TursoValue.Null : $"Company {i % 11}",
                $"2026-01-01T00:{i % 60:00}:00Z", new string('n', random.Next(50)), i / 4.0);
        }
        foreach (var (n, value) in Values(random).Index())
        {
            yield return new TursoStatement("INSERT INTO anything VALUES (?, ?)", n - 3, value);
            yield return new TursoStatement("INSERT INTO numbers VALUES (?)", value);
            yield return new TursoStatement("INSERT INTO texts VALUES (?, ?)", value, value);
            yield return new TursoStatement("INSERT OR IGNORE INTO mixed_keys SELECT coalesce(?1, 'null'), ?1", value);
            yield return new TursoStatement("INSERT INTO \"quoted \"\"name\"\" [x] ORDER BY 1\" VALUES (?1, ?2, 'r', ?1)", value, n);
            if (value.Type == TursoType.Blob) yield return new TursoStatement("INSERT INTO blobs VALUES (?, ?)", n, value);
            if (value.Type is TursoType.Real or TursoType.Integer) yield return new TursoStatement("INSERT INTO reals VALUES (?, ?)", n, value);
        }
        yield return new TursoStatement("INSERT INTO anything VALUES (?, 1), (?, 2)", long.MinValue, long.MaxValue);
        for (var i = 0; i < 40; i++)
        {
            var (hex, bad) = ($"{random.Next(256):x2}{random.Next(256):x2}", i % 3 == 0 ? "ff" : "");
            yield return new TursoStatement($"INSERT INTO broken_texts VALUES (?, CAST(x'{bad}{hex}c3' AS TEXT))", i);
            yield return new TursoStatement($"INSERT OR IGNORE INTO broken_keys VALUES (CAST(x'{hex}{bad}' AS TEXT))");
            yield return new TursoStatement("INSERT INTO infinities VALUES (?, CAST(? AS REAL))", i, (i % 4) switch { 0 => "9e999", 1 => "-9e999", 2 => "-0.0", _ => "1.5" });
            yield return new TursoStatement("INSERT INTO generated (a, b) VALUES (?, ?)", i, $"b{i}");
            yield return new TursoStatement("INSERT INTO without_rowid VALUES (?, ?, ?)", $"{(i % 2 == 0 ? "key" : "KEY")}{i}", i % 6, Bytes(random, 20));
            yield return new TursoStatement("INSERT INTO counted (v) VALUES (?)", $"v{i}");
            yield return new TursoStatement("INSERT INTO emptied (v) VALUES (?)", $"v{i}");
            yield return new TursoStatement("INSERT INTO composite (rowid, a, b, v) VALUES (?, ?, ?, ?)", 1000 - i, i % 7, i, $"v{i % 3}");
            yield return new TursoStatement("INSERT INTO not_an_alias (rowid, id, v) VALUES (?, ?, ?)", 5 * i, 1000 - i, $"v{i}");
            yield return new TursoStatement("INSERT INTO parents VALUES (?, ?)", i, $"parent {i}");
            yield return new TursoStatement("INSERT INTO child VALUES (?1, ?1, ?2)", i, $"child {i}");
            yield return new TursoStatement("INSERT INTO documents VALUES (?, ?)", $"title {i}", string.Join(' ', Enumerable.Range(0, 30).Select(_ => $"word{random.Next(100)}")));
            yield return new TursoStatement("INSERT INTO places VALUES (?1, ?1, ?1 + 1, ?1, ?1 + 2)", i);
        }
        for (var i = 0; i < 4; i++) yield return new TursoStatement("INSERT INTO large VALUES (?, ?, ?)", i, new string((char)('a' + i), 1_000_000), Bytes(random, 1_000_000));
        yield return new TursoStatement("UPDATE contacts SET name = 'Renamed' WHERE rowid < 10");
    }

    private static IEnumerable<TursoValue> Values(Random random)
    {
        TursoValue[] chosen =
        [
            TursoValue.Null, 0, 1, -1, long.MaxValue, long.MinValue, (1L << 53) + 1, 0.0, -0.0, 1.0, -1.5, 0.1, double.Epsilon, double.MaxValue, double.MinValue, 5e-324, 1e22, 9007199254740993.0,
            "", "a", "A", "\0", "a\0b", "\0\0", "1", "1.0", "0x10", " 1", "NULL", "nan", "inf", "é", "e\u0301", "\u2028", "\ufeffx", "\uffff", "👩‍👩‍👧‍👦", "\U0010ffff", "'", "\"", "\\",
            Array.Empty<byte>(), new byte[] { 0 }, new byte[] { 0x31 }, new byte[] { 255, 254 },
        ];
        foreach (var value in chosen) yield return value;
        for (var i = 0; i < 40; i++)
        {
            yield return random.NextInt64(long.MinValue, long.MaxValue);
            yield return random.NextDouble() * Math.Pow(10, random.Next(-300, 300));
            yield return Bytes(random, random.Next(40));
            yield return random.Next().ToString(CultureInfo.InvariantCulture) + char.ConvertFromUtf32(random.Next(0x10000, 0x10ffff));
        }
    }

    private static byte[] Bytes(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
