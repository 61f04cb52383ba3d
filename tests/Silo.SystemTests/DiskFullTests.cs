using System.Text.Json;

namespace Silo.SystemTests;

/// <summary>The disk under the databases in use is full.</summary>
public sealed class DiskFullTests
{
    /// <summary>Of SQLite, of tmpfs, and of the memory that is mapped.</summary>
    private const int PageBytes = 4096;

    private static readonly string Notes = new('n', 9_000);

    private static Task<Answer> AddLongAsync(Client member, string name) =>
        member.PostAsync("/api/contacts", JsonSerializer.Serialize(new { name, notes = Notes }));

    private static async Task<(StandaloneHost Silo, SmallDisk Disk)> StartAsync(Machine machine, int mebibytes, params string[] settings)
    {
        var disk = new SmallDisk(machine.Databases, mebibytes);
        Directory.CreateDirectory(machine.Databases);
        // No disk empties itself while a gateway is patient.
        var silo = await machine.StartStandaloneAsync(disk.Front, ["--Gateway:RetryFor=00:00:00", .. settings]);
        disk.Attach(silo.Process);
        return (silo, disk);
    }

    [Fact]
    public async Task Write_DiskFull_IsRefusedAndNothingIsLost()
    {
        await using var machine = new Machine();
        var (silo, disk) = await StartAsync(machine, 16);
        foreach (var organization in (string[])["acme", "other"]) await silo.Operator.CreateOrganizationAsync(organization);
        var (acme, other) = (silo.Member("acme"), silo.Member("other"));
        var written = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            (await AddLongAsync(acme, $"before {i}")).Is(201);
            written.Insert(0, $"before {i}");
        }
        (await other.AddContactAsync("Ada", "replicated")).Is(201);
        var id = (await acme.GetAsync("/api/contacts?limit=1")).Is(200).Json.GetProperty("items")[0].GetProperty("id").GetString();
        await silo.Operator.UntilDatabaseAsync("acme", IsCaughtUp, "acme is in the bucket");

        disk.Fill();
        for (var i = 0; i < 3; i++)
        {
            // Every kind of write, again and again: the same clear refusal, and nothing changed.
            foreach (var refused in (Answer[])[await AddLongAsync(acme, "too much"), await acme.DeleteAsync($"/api/contacts/{id}"), await acme.PutAsync($"/api/contacts/{id}", """{"name":"other name"}""")])
                Assert.Contains("disk refused", refused.Refuses(503, "database_unavailable").Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
            Assert.Equal(written, await acme.NamesAsync());
            Assert.Equal(Notes, (await acme.GetAsync($"/api/contacts/{id}")).Is(200).Json.GetProperty("notes").GetString());
            Assert.Equal(["Ada"], await other.NamesAsync());
            (await silo.Service.With(null).GetAsync("/health/ready")).Is(200);
        }
        Assert.Contains("the disk refused a write", silo.Process.Output, StringComparison.Ordinal);

        disk.Empty();
        (await AddLongAsync(acme, "after")).Is(201);
        written.Insert(0, "after");
        (await other.AddContactAsync("Grace")).Is(201);
        Assert.Equal(written, await acme.NamesAsync());
        Assert.Equal(0, await silo.TerminateAsync());
        await machine.OnlyRunsAsync();

        var afterwards = await machine.StartStandaloneAsync();
        Assert.Equal(written, (await afterwards.Bucket.RestoreByHandAsync("acme", machine["acme.db"])).Select(contact => contact.Name));
        Assert.Equal(["Grace", "Ada"], (await afterwards.Bucket.RestoreByHandAsync("other", machine["other.db"])).Select(contact => contact.Name));
        Assert.Equal(written, await afterwards.Member("acme").NamesAsync());
    }

    [Fact]
    public async Task Litestream_DiskTooFullForItsCopy_IsReportedAndNothingIsLost()
    {
        await using var machine = new Machine();
        var (silo, disk) = await StartAsync(machine, 16, "--Litestream:MaxLag=00:00:05");
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        var ledger = new Ledger("acme");
        (await ledger.WriteAsync(acme, "replicated")).Is(201);

        // SQLite needs room for a commit's frames, and Litestream for twice as much: its copy, and a temporary file before that.
        disk.Fill(leaveBytes: 4 * PageBytes);
        while ((await ledger.WriteAsync(acme)).Status == 201) { }
        Assert.True(ledger.Promised > 1);
        var behind = await silo.Operator.UntilDatabaseAsync(
            "acme", database => database.GetProperty("problem").GetString()?.Contains("no space left on device", StringComparison.Ordinal) == true, "Litestream says what is wrong");
        Assert.True(behind.GetProperty("replicationLagSeconds").GetDouble() > 0);
        Assert.True(behind.GetProperty("replicationLagBytes").GetInt64() > 0);
        Assert.Equal("active", behind.GetProperty("state").GetString());
        Assert.Equal(ledger.Promised, await acme.CountAsync());

        // It is started again meanwhile, which does not help as long as the disk is full, and does no harm.
        await silo.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("litestreamRestarts").GetInt32() > 1, "Litestream was started again");
        Assert.Equal(ledger.Promised, await acme.CountAsync());

        disk.Empty();
        (await ledger.WriteAsync(acme)).Is(201);
        await silo.Operator.UntilDatabaseAsync("acme", database => IsCaughtUp(database) && database.GetProperty("problem").GetString() is null, "all is in the bucket, and well");
        ledger.Check([.. (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Select(contact => contact.Name)]);
        Assert.Equal(0, await silo.TerminateAsync());
        await machine.OnlyRunsAsync();
    }

    [Fact]
    public async Task Activation_DiskFull_IsRefusedUntilThereIsRoom()
    {
        await using var machine = new Machine();
        var (silo, disk) = await StartAsync(machine, 16, "--Database:RetryBackoff=00:00:00.100", "--Database:MaxRetryBackoff=00:00:01");
        await silo.Operator.CreateOrganizationAsync("acme");
        await silo.Operator.CreateOrganizationAsync("other");
        (await silo.Member("other").AddContactAsync("Ada", "replicated")).Is(201);
        for (var i = 0; i < 20; i++) (await AddLongAsync(silo.Member("acme"), $"contact {i}")).Is(201);
        var rows = (await silo.Member("acme").GetAsync("/api/contacts")).Is(200).Text;
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("acme");

        // Room comes back bit by bit: for nothing, for a part of the restore, for the file and not for its WAL.
        var refusals = 0;
        for (var room = 0L; ; room = room == 0 ? PageBytes : room * 2)
        {
            disk.Empty();
            disk.Fill(room);
            var answer = await NextAttemptAsync(silo.Member("acme"), refusals);
            if (answer.Status == 200)
            {
                Assert.Equal(rows, answer.Text);
                break;
            }
            refusals++;
            Assert.Contains("disk", answer.Refuses(503, "database_unavailable").Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
            Assert.Equal("unavailable", (await silo.Operator.DatabaseAsync("acme"))!.Value.GetProperty("state").GetString());
            Assert.False(Directory.Exists(disk["acme"]), "Something of the attempt was left.");
            Assert.Equal(2, machine.Replicating().Count);
            Assert.Equal(["Ada"], await silo.Member("other").NamesAsync());
        }
        Assert.InRange(refusals, 3, 20);

        disk.Empty();
        (await AddLongAsync(silo.Member("acme"), "after")).Is(201);
        Assert.Equal(0, await silo.TerminateAsync());
        var afterwards = await machine.StartStandaloneAsync();
        Assert.Equal(21, (await afterwards.Bucket.RestoreByHandAsync("acme", machine["acme.db"])).Count);
        Assert.Equal("after", (await afterwards.Member("acme").NamesAsync())[0]);

        // A refusal that was remembered is no attempt; its log line is.
        async Task<Answer> NextAttemptAsync(Client member, int failures) => await Eventually.GetAsync(
            async () => await member.GetAsync("/api/contacts") is var answer && (answer.Status == 200 || Failures(silo.Process) > failures) ? answer : null, "there is another attempt");
    }

    private static int Failures(HostProcess silo) => silo.Output.Split("acme: the database cannot be opened").Length - 1;

    private static bool IsCaughtUp(JsonElement database) =>
        database.GetProperty("replicationLagSeconds").GetDouble() == 0 && database.GetProperty("generation").GetString() is not null;
}
