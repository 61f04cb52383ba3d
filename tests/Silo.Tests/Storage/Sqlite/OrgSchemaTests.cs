using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Sqlite;

public sealed class OrgSchemaTests : IDisposable
{
    private static readonly OrganizationId Demo = OrganizationId.Parse("demo");
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Migrate_Twice_IsTheSameAsOnce()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        OrgSchema.Migrate(writer.Connection, Demo);
        OrgSchema.Migrate(writer.Connection, Demo);
        Assert.Equal(OrgSchema.Version, writer.Connection.Scalar<long>("PRAGMA user_version"));
        Assert.Equal(0, OrgSchema.ReadHighWater(writer.Connection));
        Assert.Equal((1, 2), (OrgSchema.RaiseHighWater(writer.Connection), OrgSchema.RaiseHighWater(writer.Connection)));
    }

    [Fact]
    public void Migrate_FileOfAnotherOrganization_IsRefused()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        OrgSchema.Migrate(writer.Connection, Demo);
        Assert.Contains("another organization", Assert.Throws<SchemaException>(() => OrgSchema.Migrate(writer.Connection, OrganizationId.Parse("other"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Migrate_FileOfANewerVersion_IsRefusedAndUntouched()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        writer.Connection.Execute("PRAGMA user_version = 99");
        Assert.Contains("99", Assert.Throws<SchemaException>(() => OrgSchema.Migrate(writer.Connection, Demo)).Message, StringComparison.Ordinal);
        Assert.Equal(0, writer.Connection.Scalar<long>("SELECT count(*) FROM sqlite_schema"));
    }

    [Fact]
    public void Migrate_FileOfTheOlderSystem_KeepsItsTableAndCopiesEveryRow()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        writer.Connection.Execute("""
            CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT, email TEXT, phone TEXT, tags TEXT, created_at TEXT);
            INSERT INTO contacts VALUES ('c-2', 'Bo', 'B@x.test', NULL, 'vip', '2025-02-01T00:00:00Z'), ('c-1', 'Ada', 'a@x.test', '1', NULL, '2025-01-01T00:00:00Z'),
              ('c-3', 'Bo again', 'b@x.test', '2', NULL, '2025-03-01T00:00:00Z'), ('c-4', NULL, '', '1', NULL, NULL);
            """);
        OrgSchema.Migrate(writer.Connection, Demo);

        using var reader = new ContactReader(_folder["a.db"]);
        var page = System.Text.Encoding.UTF8.GetString(reader.List(new ContactListQuery(10, null, null)).Utf8!);
        // As they were added, whatever times they have: where they were served from before, they had this order too.
        Assert.Equal(["c-4", "c-3", "c-1", "c-2"], System.Text.RegularExpressions.Regex.Matches(page, "\"id\":\"(.*?)\"").Select(match => match.Groups[1].Value));
        Assert.Equal(4, writer.Connection.Scalar<long>("SELECT count(*) FROM contacts_before_silo"));
        Assert.Equal("vip", writer.Connection.Scalar<string>("SELECT tags FROM contacts_before_silo WHERE id = 'c-2'"));
        // Of the two with one address the newer has the key: another one of it is refused, and both can be read.
        Assert.Equal("c-3", writer.Connection.Scalar<string>("SELECT id FROM contacts WHERE email_key = 'b@x.test'"));
    }

    [Fact]
    public void Migrate_OlderDuplicatesOfEmailAndPhone_KeepEveryRow()
    {
        using var writer = new OrgWriter(_folder["a.db"]);
        writer.Connection.Execute("""
            CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT, email TEXT, phone TEXT);
            INSERT INTO contacts VALUES ('1', 'a', 'a@x.test', '5'), ('2', 'b', 'A@x.test', '5'), ('3', 'c', 'a@X.test', '5'), ('4', 'd', NULL, '5'), ('5', 'e', NULL, '5');
            """);
        OrgSchema.Migrate(writer.Connection, Demo);
        Assert.Equal(5, writer.Connection.Scalar<long>("SELECT count(*) FROM contacts"));
        Assert.Equal(1, writer.Connection.Scalar<long>("SELECT count(*) FROM contacts WHERE email_key IS NOT NULL"));
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(65_536)]
    public void MeasureWal_FileWithOtherPages_SaysWhereItsWalEnds(int pageSize)
    {
        using (var other = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder["p.db"]};Pooling=False"))
        {
            other.Open();
            other.Execute($"PRAGMA page_size = {pageSize}; CREATE TABLE t (x)");
        }
        using var writer = new OrgWriter(_folder["p.db"]);
        OrgSchema.Migrate(writer.Connection, Demo);
        Assert.Equal((pageSize, new FileInfo(_folder["p.db-wal"]).Length), (writer.MeasureWal().PageSize, writer.MeasureWal().Bytes));
    }

    [Fact]
    public void SqliteVersion_IsFreeOfTheWalResetBug() =>
        Assert.True(System.Version.Parse(SqliteVersion()) >= new Version(3, 51, 3), $"SQLite {SqliteVersion()} has the WAL-reset bug that 3.51.3 fixed");

    private string SqliteVersion()
    {
        using var connection = OrgConnection.OpenWriter(_folder["v.db"]);
        return connection.Scalar<string>("SELECT sqlite_version()")!;
    }
}
