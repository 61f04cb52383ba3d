using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Storage.Imports;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Imports;

public sealed class ContactMergeTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 9, 30, 0, TimeSpan.Zero);

    private readonly TestFolder _folder = new();
    private readonly SqliteConnection _connection;
    private int _merges;

    public ContactMergeTests()
    {
        _connection = OrgConnection.OpenWriter(_folder["org.db"]);
        OrgSchema.Migrate(_connection, OrganizationId.Parse("demo"));
    }

    public void Dispose()
    {
        _connection.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Rows_OfAnEmptyDatabase_AreAllAddedInTheirOrder()
    {
        var (counts, duplicates) = Merge("name,email\nAda,ada@example.org\nBo,\nCy,cy@example.org\n");
        Assert.Equal((new MergeCounts(3, 0, 0), 0L), (counts, duplicates));
        Assert.Equal(["Ada", "Bo", "Cy"], Names());
        Assert.Equal(["2026-11-27T09:30:00.000Z"], Column("created_at").Distinct());
        var ids = Column("id");
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
    }

    [Theory]
    [InlineData(false, "Ada|Bo", 2, 0, 3)]
    [InlineData(true, "Bo 2|Ada 3", 2, 0, 3)]
    public void Duplicates_WithinTheFile_LeaveTheFirstOrTheLast(bool overwrites, string expected, long imported, long updated, long skipped)
    {
        var (counts, duplicates) = Merge("name,email,phone\nAda,ada@example.org,\nBo,,030 1\nAda 2,ADA@example.org,1\nBo 2,,0301\nAda 3,ada@EXAMPLE.org,\n", overwrites);
        Assert.Equal((imported, updated, skipped), (counts.Imported, counts.Updated, counts.Skipped + duplicates));
        Assert.Equal(expected, string.Join('|', Names()));
    }

    [Fact]
    public void Contacts_ThatAreThere_AreLeftAsTheyAre()
    {
        Merge("name,email,phone\nAda,ada@example.org,\nBo,,030 1\n");
        var (counts, _) = Merge("name,email,phone\nX,Ada@Example.org,5\nY,,+030-1\nZ,,0301\nNew,new@example.org,030 1\n");
        Assert.Equal(new MergeCounts(2, 0, 2), counts);
        Assert.Equal(["Ada", "Bo", "Y", "New"], Names());
    }

    [Fact]
    public void Contacts_ThatAreOverwritten_KeepWhatTheFileHasNoColumnFor()
    {
        Merge("name,email,phone,company,notes,agentId\nAda,ada@example.org,1,Analytical,first,7\nBo,,2,,,\n");
        var ids = Column("id");

        var (counts, _) = Merge("email,name,company,phone\nADA@example.org,Countess,,\n,Bob,Bobs,2\n,Cy,,3\n", overwrites: true);
        Assert.Equal(new MergeCounts(1, 2, 0), counts);
        Assert.Equal(["Countess", "Bob", "Cy"], Names());
        Assert.Equal(["ADA@example.org", null, null], Column("email"));
        Assert.Equal(["ada@example.org", null, null], Column("email_key"));
        Assert.Equal([null, "2", "3"], Column("phone"));
        Assert.Equal([null, "Bobs", null], Column("company"));
        Assert.Equal(["first", null, null], Column("notes"));
        Assert.Equal(["7", null, null], Column("agent_id"));
        Assert.Equal(ids, Column("id").Take(2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(30_000)]
    public void Indexes_WhetherAddedToOrMadeAnew_AreWhole(int before)
    {
        if (before > 0) Merge(File(0, before));
        var (counts, _) = Merge(File(before / 2, 25_000));
        Assert.Equal(25_000 - (before - (before / 2)) + Math.Max(0, before - (before / 2) - 25_000), counts.Imported);
        Assert.Equal("ok", _connection.Scalar<string>("PRAGMA integrity_check"));
        Assert.Equal(OrgSchema.ContactIndexes.Select(index => index.Sql), OrgSchema.ContactIndexes.Select(index => _connection.Scalar<string>("SELECT sql FROM sqlite_schema WHERE name = $name", ("$name", index.Name))));
        Assert.Throws<SqliteException>(() => _connection.Execute("INSERT INTO contacts (id, name, created_at, updated_at, email, email_key) SELECT 'x', 'x', 'x', 'x', email, email_key FROM contacts LIMIT 1"));

        static string File(int from, int count) => "name,email\n" + string.Concat(Enumerable.Range(from, count).Select(i => $"P{i},{(uint)i * 2654435761 % 1000003}.{i}@example.org\n"));
    }

    [Fact]
    public void Refusal_AtTheLastStep_ChangesNothing()
    {
        Merge("name,email\nAda,ada@example.org\n");
        Assert.Throws<TimeoutException>(() => Merge("name,email\nEve,ada@example.org\nBo,bo@example.org\n", overwrites: true, refuse: true));
        Assert.Equal(["Ada"], Names());
        Assert.Equal(new MergeCounts(1, 1, 0), Merge("name,email\nEve,ada@example.org\nBo,bo@example.org\n", overwrites: true).Counts);
        Assert.Equal(["Eve", "Bo"], Names());
    }

    [Fact]
    public void Merge_LeavesItsConnectionAsItWas()
    {
        string[] settings = ["main.cache_size", "temp_store", "synchronous", "journal_mode", "foreign_keys"];
        var before = settings.Select(setting => Convert.ToString(_connection.Scalar<object>($"PRAGMA {setting}"), System.Globalization.CultureInfo.InvariantCulture)).ToList();
        Merge("name\nAda\n");
        Assert.Equal(before, settings.Select(setting => Convert.ToString(_connection.Scalar<object>($"PRAGMA {setting}"), System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal(0, _connection.Scalar<long>("SELECT count(*) FROM pragma_database_list WHERE name = 'staged'"));
    }

    private (MergeCounts Counts, long Duplicates) Merge(string csv, bool overwrites = false, bool refuse = false)
    {
        using var rows = new CsvRows(new StringReader(csv), null, 10_000);
        using var staging = new StagingDatabase(_folder[$"staged-{++_merges}.db"]);
        foreach (var row in rows.Read()) staging.Add(row.Row, row.Fields!);
        var (_, duplicates) = staging.Finish(overwrites);
        var counts = new ContactMerge(_connection, staging, rows.Columns, new ImportsOptions()).Run(
            overwrites, isAgentGiven: false, Now, _ =>
            {
                if (refuse) throw new TimeoutException();
            });
        return (counts, duplicates);
    }

    private List<string?> Names() => Column("name");

    private List<string?> Column(string name)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = $"SELECT {name} FROM contacts ORDER BY seq";
        using var rows = command.ExecuteReader();
        var values = new List<string?>();
        while (rows.Read()) values.Add(rows.IsDBNull(0) ? null : rows.GetString(0));
        return values;
    }
}
