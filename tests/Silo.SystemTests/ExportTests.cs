using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace Silo.SystemTests;

/// <summary>An organization's database leaves as a file while it is in use; what breaks off is seen to have broken off, and leaves nothing.</summary>
public sealed class ExportTests
{
    /// <summary>Far more than sockets and servers keep between the silo and a client that does not read.</summary>
    private const int Rows = 15_000;

    private static readonly HttpClient Http = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Export_OfAnOrganizationAtRest_WakesItAndIsWhatMembersSee()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Exports:MaxConcurrent=8");
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        foreach (var name in (string[])["Ada", "Grace", "Barbara"]) (await acme.AddContactAsync(name)).Is(201);
        (await silo.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await silo.Operator.UntilInactiveAsync("acme");

        Assert.Contains(machine["acme.db"], await silo.CommandAsync(0, "export", "acme", "--out", machine["acme.db"]), StringComparison.Ordinal);
        Assert.Equal(["Barbara", "Grace", "Ada"], Bucket.Read(machine["acme.db"]).Select(contact => contact.Name));
        Assert.NotNull(await silo.Operator.DatabaseAsync("acme"));
        Assert.Contains("--force", await silo.CommandAsync(2, "export", "acme", "--out", machine["acme.db"]), StringComparison.Ordinal);

        // While members write, each of several at once is all of the writes up to some moment.
        var ledger = new Ledger("acme");
        var exporting = Enumerable.Range(0, 4).Select(i => silo.CommandAsync(0, "export", "acme", "--out", machine[$"beside-{i}.db"])).ToList();
        while (!exporting.TrueForAll(export => export.IsCompleted)) (await ledger.WriteAsync(acme)).Is(201);
        await Task.WhenAll(exporting);
        var all = await acme.NamesAsync();
        for (var i = 0; i < exporting.Count; i++)
        {
            var names = Bucket.Read(machine[$"beside-{i}.db"]).Select(contact => contact.Name).ToList();
            Assert.Equal(all.Skip(all.Count - names.Count), names);
        }
        Assert.Empty(Temporary(machine.Databases));
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Silo_EndedInTheMiddle_BreaksTheTransferAndLeavesNothing()
    {
        await using var machine = new Machine();
        var service = await StartAsync(machine);
        foreach (var isKilled in (bool[])[true, false])
        {
            using var answer = await BeginAsync(service);
            await using var content = await answer.Content.ReadAsStreamAsync(Cancellation);
            await content.ReadExactlyAsync(new byte[1000], Cancellation);
            Assert.Single(Temporary(service.Databases));
            if (isKilled) await service.Silo.KillAsync();
            else Assert.Equal(0, await service.Silo.TerminateAsync());
            await Assert.ThrowsAnyAsync<IOException>(() => content.CopyToAsync(Stream.Null, Cancellation));

            await service.StartSiloAsync();
            Assert.Empty(Temporary(service.Databases));
            await service.UntilReadyAsync();
            using var again = await Eventually.GetAsync(
                async () => await BeginAsync(service) is var next && next.IsSuccessStatusCode ? next : null, "it can be exported again");
            Assert.Equal(Rows, await CountAsync(machine, again));
        }
        Assert.Contains("broke off", service.Gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gateway_EndedInTheMiddle_LeavesAFileThatExpires()
    {
        await using var machine = new Machine();
        var service = await StartAsync(machine, "--Exports:Expiry=00:00:01", "--Exports:MaxConcurrent=1");
        using (var answer = await BeginAsync(service))
        {
            await using var content = await answer.Content.ReadAsStreamAsync(Cancellation);
            await content.ReadExactlyAsync(new byte[1000], Cancellation);
            using var second = await BeginAsync(service);
            Assert.Equal(429, (int)second.StatusCode);
            await service.Gateway.KillAsync();
            await Assert.ThrowsAnyAsync<IOException>(() => content.CopyToAsync(Stream.Null, Cancellation));
        }
        await Eventually.IsAsync(() => Temporary(service.Databases).Count == 0, "the file is gone");
        await Eventually.IsAsync(() => service.Silo.Output.Contains("nobody has asked for it", StringComparison.Ordinal), "it says so");

        await service.StartGatewayAsync();
        await service.UntilReadyAsync();
        using var again = await BeginAsync(service);
        Assert.Equal(Rows, await CountAsync(machine, again));
    }

    [Fact]
    public async Task Database_PutAwayInTheMiddle_IsNotNeededAnyMore()
    {
        await using var machine = new Machine();
        var service = await StartAsync(machine);
        using var answer = await BeginAsync(service);
        (await service.Operator.PostAsync("/api/admin/databases/acme/deactivate")).Is(202);
        await service.Operator.UntilInactiveAsync("acme");
        Assert.Equal(Rows, await CountAsync(machine, answer));
        await Eventually.IsAsync(() => Temporary(service.Databases).Count == 0, "the file is gone");
        Assert.Equal(0, await service.Silo.TerminateAsync());
    }

    [Fact]
    public async Task Cluster_OfSeveralSilos_GivesEachExportFromWhereItsDatabaseIs()
    {
        await using var cluster = await SiloCluster.StartAsync(onPostgres: false, silos: 2, gateways: 2);
        string[] organizations = ["one", "two", "three", "four"];
        await cluster.CreateOrganizationsAsync(organizations);
        foreach (var organization in organizations) (await cluster.Member(organization).AddContactAsync($"of {organization}", "replicated")).Is(201);
        Assert.Equal(2, (await cluster.PlacesAsync()).Count);
        using var folder = new TestFolder();
        for (var gateway = 0; gateway < 2; gateway++)
        {
            foreach (var organization in organizations)
            {
                using var answer = await BeginAsync(cluster.Gateways[gateway].Url, organization);
                Assert.Equal([$"of {organization}"], Bucket.Read(await SaveAsync(folder[$"{organization}-{gateway}.db"], answer)).Select(contact => contact.Name));
            }
        }
        // A copy is made wherever its grain comes to be, and is served from there.
        foreach (var organization in organizations)
        {
            var at = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);
            (await cluster.Member(organization).AddContactAsync("later", "replicated")).Is(201);
            (await cluster.Operator.PostAsync($"/api/admin/organizations/{organization}/restore", $$"""{"at":"{{at}}","as":"copy-of-{{organization}}"}""")).Is(200);
            Assert.Equal([$"of {organization}"], await cluster.Member($"copy-of-{organization}", gateway: 1).NamesAsync());
        }
    }

    [Fact]
    public async Task Disk_WithoutRoomForTheCopy_RefusesItAndServesOn()
    {
        await using var machine = new Machine();
        var disk = new SmallDisk(machine.Databases, mebibytes: 24);
        Directory.CreateDirectory(machine.Databases);
        var silo = await machine.StartStandaloneAsync(disk.Front, ["--Exports:KeepFreeBytes=4194304"]);
        disk.Attach(silo.Process);
        await silo.Operator.CreateOrganizationAsync("acme");
        var acme = silo.Member("acme");
        for (var i = 0; i < 50; i++) (await acme.PostAsync("/api/contacts", $$"""{"name":"{{i}}","notes":"{{new string('n', 9_000)}}"}""")).Is(201);
        await silo.Operator.UntilDatabaseAsync("acme", database => database.GetProperty("replicationLagSeconds").GetDouble() == 0, "all is in the bucket");

        disk.Fill(leaveBytes: 4 * 1024 * 1024);
        Assert.Contains("no room for an export", await silo.CommandAsync(1, "export", "acme", "--out", machine["acme.db"]), StringComparison.Ordinal);
        Assert.False(File.Exists(machine["acme.db"]));
        (await acme.AddContactAsync("on", "replicated")).Is(201);

        disk.Empty();
        await silo.CommandAsync(0, "export", "acme", "--out", machine["acme.db"]);
        Assert.Equal(51, Bucket.Read(machine["acme.db"]).Count);
        Assert.Equal(0, await silo.TerminateAsync());
    }

    private static async Task<SplitService> StartAsync(Machine machine, params string[] settings)
    {
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        await service.StartSiloAsync(["--Exports:Expiry=00:10:00", .. settings]);
        // On a busy machine the client of a story stops for longer than one that is given up.
        await service.StartGatewayAsync("--Gateway:MinExportBytesPerSecond=1000");
        await service.UntilReadyAsync();
        await service.Operator.CreateOrganizationAsync("acme");
        var file = new StringBuilder("name,notes\n");
        for (var i = 0; i < Rows; i++) file.Append(CultureInfo.InvariantCulture, $"Person {i},{new string('n', 1_000)}\n");
        var body = new ByteArrayContent(Encoding.UTF8.GetBytes(file.ToString())) { Headers = { ContentType = new MediaTypeHeaderValue("text/csv") } };
        var done = await service.Member("acme").SendAsync(HttpMethod.Post, "/api/contacts/bulk-import", body, request => request.Headers.Add("Prefer", "wait=60"));
        Assert.Equal("completed", done.Is(200).Json.GetProperty("state").GetString());
        return service;
    }

    /// <summary>Somebody asks for the file and does not read it yet.</summary>
    private static Task<HttpResponseMessage> BeginAsync(SplitService service) => BeginAsync(service.GatewayUrl, "acme");

    private static async Task<HttpResponseMessage> BeginAsync(string gateway, string organization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(gateway), $"/api/admin/organizations/{organization}/export"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Service.Tokens.Admin());
        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
    }

    private static async Task<int> CountAsync(Machine machine, HttpResponseMessage answer) => Bucket.Read(await SaveAsync(machine[$"{Guid.NewGuid():n}.db"], answer)).Count;

    private static async Task<string> SaveAsync(string path, HttpResponseMessage answer)
    {
        await using var file = File.Create(path);
        await answer.EnsureSuccessStatusCode().Content.CopyToAsync(file, Cancellation);
        return path;
    }

    private static IReadOnlyList<string> Temporary(string databases) => [.. Directory.EnumerateFiles(Path.Combine(databases, "_temporary"), "*", SearchOption.AllDirectories)];
}
