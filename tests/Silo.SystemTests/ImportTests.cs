using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Silo.SystemTests.Faults;

namespace Silo.SystemTests;

/// <summary>A file of contacts comes in, whole or not at all, whatever ends meanwhile.</summary>
public sealed class ImportTests
{
    private const string ImportFiles = "imports/";

    [Fact]
    public async Task File_FromTheClientToTheBucket_IsTakenInOnceAndRemembered()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        (await acme.PostAsync("/api/contacts", """{"name":"Ada","email":"person-1@example.org"}""")).Is(201);

        var key = Guid.NewGuid();
        var done = (await SendAsync(acme, File(20_000), key, wait: 60)).Is(200).Json;
        Assert.Equal(("completed", true, 20_000, 19_999, 1), (State(done), done.GetProperty("durable").GetBoolean(), Number(done, "total"), Number(done, "imported"), Number(done, "skipped")));
        Assert.Equal(20_000, (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
        Assert.Equal(20_000, await acme.CountAsync());
        Assert.Empty(await Objects(silo).NamesAsync(ImportFiles));

        var again = (await SendAsync(acme, "name\nEve\n", key, wait: 60)).Is(200).Json;
        Assert.Equal(("completed", 19_999, done.GetProperty("startedAt").GetString()), (State(again), Number(again, "imported"), again.GetProperty("startedAt").GetString()));
        var over = (await SendAsync(acme, File(20_000, company: "Other"), Guid.NewGuid(), "?overwriteExisting=true", wait: 60)).Is(200).Json;
        Assert.Equal((0, 20_000), (Number(over, "imported"), Number(over, "updated")));
        Assert.Equal("Other", (await acme.GetAsync("/api/contacts?search=person-777@&limit=1")).Is(200).Json.GetProperty("items")[0].GetProperty("company").GetString());
        var audit = (await acme.GetAsync("/api/audit")).Is(200).Json.GetProperty("items");
        Assert.Equal(["completed", "completed"], audit.EnumerateArray().Select(entry => entry.GetProperty("outcome").GetString()));

        Assert.Equal(0, await silo.TerminateAsync());
        silo = await machine.StartStandaloneAsync();
        Assert.Equal("completed", State((await silo.Member("acme").GetAsync($"/api/imports/{key}")).Is(200).Json));
    }

    [Theory]
    [InlineData("queued")]
    [InlineData("reading")]
    [InlineData("merging")]
    [InlineData("replicating")]
    public async Task Silo_KilledDuringAnImport_FinishesItAfterwardsByItself(string phase)
    {
        const int Rows = 100_000;
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        (await silo.Member("acme").AddContactAsync("Ada", "replicated")).Is(201);
        if (phase == "queued") await silo.Bucket.BreakAsync("""[{"method":"GET","namePrefix":"imports/acme/","action":"stall"}]""");
        if (phase == "replicating") await silo.Bucket.BreakAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");

        var key = Guid.NewGuid();
        (await SendAsync(silo.Member("acme"), File(Rows), key)).Is(202);
        if (phase != "queued")
            await Eventually.GetAsync(async () => HasCome(phase, (await silo.Member("acme").GetAsync($"/api/imports/{key}")).Is(200).Json) ? "yes" : null, $"the import is {phase}");
        await silo.KillAsync();

        // Nobody asks for it: the silo looks by itself. Only then the client comes back.
        silo = await machine.StartStandaloneAsync();
        await Eventually.GetAsync(async () => (await Objects(silo).NamesAsync(ImportFiles)).Count == 0 ? "yes" : null, "the import is finished");
        var done = (await silo.Member("acme").GetAsync($"/api/imports/{key}")).Is(200).Json;
        Assert.Equal(("completed", true, Rows), (State(done), done.GetProperty("durable").GetBoolean(), Number(done, "imported")));
        Assert.Equal(Rows + 1, await silo.Member("acme").CountAsync());
        Assert.Equal(Rows + 1, (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
        Assert.Single((await silo.Member("acme").GetAsync("/api/audit")).Is(200).Json.GetProperty("items").EnumerateArray());
    }

    [Fact]
    public async Task Client_GoneInTheMiddleOfItsFile_HasImportedNothing()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var key = Guid.NewGuid();
        using (var client = new TcpClient())
        {
            await client.ConnectAsync("127.0.0.1", new Uri(silo.Ready.Url!).Port, TestContext.Current.CancellationToken);
            var half = $"POST /api/contacts/bulk-import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Service.Tokens.Member("acme")}\r\nContent-Type: text/csv\r\nIdempotency-Key: {key}\r\nContent-Length: 100000\r\n\r\n{File(100)}";
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(half), TestContext.Current.CancellationToken);
        }
        (await silo.Member("acme").GetAsync($"/api/imports/{key}")).Refuses(404, "import_not_found");
        Assert.Equal(0, await silo.Member("acme").CountAsync());

        Assert.Equal("completed", State((await SendAsync(silo.Member("acme"), File(100), key, wait: 60)).Is(200).Json));
        Assert.Equal(100, await silo.Member("acme").CountAsync());
    }

    [Fact]
    public async Task Bucket_OutOfReachAtEachStep_ChangesNothingOrFinishesLater()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Gcs:RequestTimeout=00:00:01", "--Gcs:TotalTimeout=00:00:02");
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        (await acme.AddContactAsync("Ada", "replicated")).Is(201);

        await silo.Bucket.BreakAsync("""[{"method":"POST","namePrefix":"imports/","action":"status","status":503}]""");
        var key = Guid.NewGuid();
        (await SendAsync(acme, File(50), key)).Refuses(503, "database_unavailable");
        (await acme.GetAsync($"/api/imports/{key}")).Refuses(404, "import_not_found");

        // The file arrives, and the note of it does not.
        await silo.Bucket.BreakAsync("""[{"method":"POST","namePrefix":"imports/acme/KEY.json","action":"status","status":503}]""".Replace("KEY", key.ToString(), StringComparison.Ordinal));
        (await SendAsync(acme, File(50), key)).Refuses(503, "database_unavailable");
        (await acme.GetAsync($"/api/imports/{key}")).Refuses(404, "import_not_found");
        Assert.Equal(1, await acme.CountAsync());

        // The note arrives, and the file does not come back.
        await silo.Bucket.BreakAsync("""[{"method":"GET","namePrefix":"imports/","action":"drop"}]""");
        (await SendAsync(acme, File(50), key)).Is(202);
        await Eventually.IsAsync(() => silo.Process.Output.Contains($"import {key} is tried again", StringComparison.Ordinal), "it is tried again");
        Assert.Equal("running", State((await acme.GetAsync($"/api/imports/{key}")).Is(200).Json));
        Assert.Equal(1, await acme.CountAsync());

        // It comes back, and what it changes does not get through.
        await silo.Bucket.BreakAsync("""[{"method":"POST","namePrefix":"litestream-replicas/","action":"status","status":503}]""");
        await Eventually.GetAsync(async () => (await acme.GetAsync($"/api/imports/{key}")).Is(200).Json is var status && status.GetProperty("phase").GetString() == "replicating" ? "yes" : null, "the bucket is waited for");
        Assert.Equal(51, await acme.CountAsync());

        await silo.Bucket.RepairAsync();
        await Eventually.GetAsync(async () => State((await acme.GetAsync($"/api/imports/{key}")).Is(200).Json) == "completed" ? "yes" : null, "it is completed");
        Assert.Equal(51, (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
    }

    [Fact]
    public async Task Import_WhoseEndIsWaitedFor_DoesNotKeepItsDatabaseFromBeingPutAway()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        (await acme.AddContactAsync("Ada", "replicated")).Is(201);

        await silo.Bucket.BreakAsync("""[{"method":"GET","namePrefix":"imports/acme/","action":"status","status":503}]""");
        var key = Guid.NewGuid();
        var importing = SendAsync(acme, File(50), key, wait: 60);
        await Eventually.IsAsync(() => silo.Process.Output.Contains("is tried again", StringComparison.Ordinal), "it waits for the bucket");
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await Eventually.IsAsync(() => silo.Process.Output.Contains("acme: put away", StringComparison.Ordinal), "it is put away");
        Assert.Equal(1, await acme.CountAsync());
        Assert.False(importing.IsCompleted);

        await silo.Bucket.RepairAsync();
        Assert.True((await importing).Status is 200 or 202); // on a busy machine, nobody may know of it for too long meanwhile
        await Eventually.GetAsync(async () => State((await acme.GetAsync($"/api/imports/{key}")).Is(200).Json) == "completed" ? "yes" : null, "it is completed");
        Assert.Equal(51, await acme.CountAsync());
    }

    [Fact]
    public async Task Disk_WithoutRoomForTheFile_FailsTheImportAndNothingElse()
    {
        await using var machine = new Machine();
        var disk = new SmallDisk(machine.Databases, mebibytes: 16);
        Directory.CreateDirectory(machine.Databases);
        var silo = await machine.StartStandaloneAsync(disk.Front, []);
        disk.Attach(silo.Process);
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        (await acme.AddContactAsync("Ada", "replicated")).Is(201);

        var key = Guid.NewGuid();
        var failed = (await SendAsync(acme, File(200_000), key, wait: 60)).Is(200).Json;
        Assert.Equal(("failed", "disk_full"), (State(failed), failed.GetProperty("errors")[0].GetProperty("code").GetString()));
        Assert.Equal(["Ada"], await acme.NamesAsync());
        (await acme.AddContactAsync("Bo", "replicated")).Is(201);
        Assert.Equal("completed", State((await SendAsync(acme, File(100), Guid.NewGuid(), wait: 60)).Is(200).Json));
        Assert.Equal(102, (await silo.Bucket.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
    }

    [Fact]
    public async Task Clusters_ThatImportAtOnce_DoNotBothDoIt()
    {
        await using var machine = new Machine();
        var bucket = await SharedBucket.StartAsync(machine);
        var recorder = new Recorder();
        await using var one = new Owner("owner-1", bucket, ["acme"], recorder, [], hasSteppedClock: false);
        await using var two = new Owner("owner-2", bucket, ["acme"], recorder, [], hasSteppedClock: false);
        await Task.WhenAll(one.StartAsync(), two.StartAsync());

        var answers = await Task.WhenAll(
            SendAsync(one.Service!.Member("acme"), File(5_000, from: 0), Guid.NewGuid(), wait: 10), SendAsync(two.Service!.Member("acme"), File(5_000, from: 5_000), Guid.NewGuid(), wait: 10));
        var taken = Assert.Single(answers, answer => answer.Status == 200).Json;
        Assert.Equal(("completed", 5_000), (State(taken), Number(taken, "imported")));
        Assert.Single(answers, answer => answer.Status != 200).Refuses(503, "database_unavailable");
        Assert.Equal(5_000, (await bucket.Objects.RestoreByHandAsync("acme", machine["by-hand.db"])).Count);
    }

    private static bool HasCome(string phase, JsonElement status)
    {
        if (State(status) == "completed") return true; // too quick to be caught: then the kill comes after it
        string[] order = ["reading", "merging", "replicating"];
        return status.TryGetProperty("phase", out var at) && at.ValueKind == JsonValueKind.String && Array.IndexOf(order, at.GetString()) >= Array.IndexOf(order, phase);
    }

    private static string State(JsonElement status) => status.GetProperty("state").GetString()!;

    private static int Number(JsonElement status, string property) => status.GetProperty(property).GetInt32();

    private static BucketObjects Objects(StandaloneHost silo) => new(new Uri(silo.Ready.BucketUrl!), "silo");

    private static string File(int rows, int from = 0, string company = "Example")
    {
        var file = new StringBuilder("name,email,company,notes\n");
        for (var i = from; i < from + rows; i++) file.Append(CultureInfo.InvariantCulture, $"Person {i},person-{i}@example.org,{company},\"note {i}, of some length, so that a file of them is one\"\n");
        return file.ToString();
    }

    private static Task<Answer> SendAsync(Client member, string csv, Guid key, string query = "", int wait = 0)
    {
        var body = new ByteArrayContent(Encoding.UTF8.GetBytes(csv)) { Headers = { ContentType = new MediaTypeHeaderValue("text/csv") } };
        return member.SendAsync(HttpMethod.Post, "/api/contacts/bulk-import" + query, body, request =>
        {
            request.Headers.Add("Idempotency-Key", key.ToString());
            if (wait > 0) request.Headers.Add("Prefer", $"wait={wait}");
        });
    }
}
