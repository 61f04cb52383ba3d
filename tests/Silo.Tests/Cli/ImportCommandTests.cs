using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.GcsEmulator;
using Silo.Tests.Gateway;

namespace Silo.Tests.Cli;

/// <summary><c>silo import</c> against a real gateway and a bucket; the grain behind them is a stand-in.</summary>
[Collection(GatewayCollection.Name)]
public sealed class ImportCommandTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "cli-" + Guid.NewGuid().ToString("N");
    private readonly TestFolder _folder = new();
    private GcsEmulatorServer _bucket = null!;
    private TestGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        var options = new GcsEmulatorOptions { Port = 0, DataDirectory = _folder["bucket"] };
        options.Buckets.Add("bucket");
        _bucket = await GcsEmulatorServer.StartAsync(options, TestContext.Current.CancellationToken);
        _gateway = await StartAsync(null);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _bucket.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task File_IsImportedOnce_UnlessItIsAskedForAgain()
    {
        var file = Write("people.csv", "name\nAda\n");
        var first = await RunAsync("import", file, "--org", _id, "--overwrite-existing", "--json");
        Assert.Equal((0, ""), (first.Code, first.Errors));
        var id = JsonDocument.Parse(first.Output).RootElement.GetProperty("id").GetString()!;
        Assert.Equal((ImportFormat.Csv, false, new ImportOptions(OverwriteExisting: true)), (cluster.StandIns.Imports[id].Format, cluster.StandIns.Imports[id].IsGzip, cluster.StandIns.Imports[id].Options));

        var second = await RunAsync("import", file, "--org", _id, "--overwrite-existing", "--json");
        Assert.Equal(id, JsonDocument.Parse(second.Output).RootElement.GetProperty("id").GetString());
        foreach (var other in (string[][])[["--again", "--overwrite-existing"], []])
            Assert.NotEqual(id, JsonDocument.Parse((await RunAsync(["import", file, "--org", _id, "--json", .. other])).Output).RootElement.GetProperty("id").GetString());
    }

    [Fact]
    public async Task File_ThatIsCompressed_IsSentAsItIs()
    {
        var compressed = Compressed("{\"name\":\"Ada\"}\n"u8);
        var file = Write("people.ndjson.gz", compressed);
        var done = await RunAsync("import", file, "--org", _id);
        Assert.Equal(0, done.Code);
        Assert.Contains("completed. 1 imported, 0 updated, 0 skipped, 0 failed", done.Output, StringComparison.Ordinal);
        var import = Assert.Single(cluster.StandIns.Imports.Values, import => done.Output.Contains(import.Id, StringComparison.Ordinal));
        Assert.Equal((ImportFormat.NdJson, true, (long)compressed.Length), (import.Format, import.IsGzip, import.Bytes));
    }

    [Fact]
    public async Task Import_ThatFails_ShowsWhatIsWrongAndEndsWithOne()
    {
        var file = Write("people.csv", "name\nAda\n");
        var begun = await RunAsync("import", file, "--org", _id, "--json");
        var id = JsonDocument.Parse(begun.Output).RootElement.GetProperty("id").GetString()!;
        cluster.StandIns.ImportStatuses[id] = new(
        [
            new ImportStatus { Id = id, State = ImportState.Running, StartedAt = TimeProvider.System.GetUtcNow() },
            new ImportStatus
            {
                Id = id, State = ImportState.Failed, StartedAt = TimeProvider.System.GetUtcNow(), Failed = 1, Processed = 2, UnknownColumns = ["Birthday"],
                Errors = [new ImportError(0, "validation_failed", "The import is strict."), new ImportError(7, "validation_failed", "email: This is not an e-mail address.")],
            },
        ]);
        var failed = await RunAsync("import", file, "--org", _id);
        Assert.Equal((1, "The import failed; nothing was changed. (validation_failed)\n"), (failed.Code, failed.Errors));
        Assert.Matches(@"7 +validation_failed +email: This is not an e-mail address\.", failed.Output);
        Assert.Contains("Birthday", failed.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("people.xyz", null, "--format")]
    [InlineData("people.xyz", "csv", null)]
    public async Task Format_ThatDoesNotShowInTheName_MustBeSaid(string name, string? format, string? complaint)
    {
        string[] said = format is null ? [] : ["--format", format];
        var answer = await RunAsync(["import", Write(name, "name\nAda\n"), "--org", _id, .. said]);
        Assert.Equal(complaint is null ? 0 : 2, answer.Code);
        if (complaint is not null) Assert.Contains(complaint, answer.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task File_ThatIsReadInAnotherWay_IsAnotherImport()
    {
        // The same bytes each time; the gateway takes them as any of these.
        var content = Compressed("name\nAda\n"u8);
        var file = Write("people.txt", content);
        var csv = Id(await RunAsync("import", file, "--org", _id, "--json"));
        var json = Id(await RunAsync("import", file, "--org", _id, "--json", "--format", "ndjson"));
        var gzip = Id(await RunAsync("import", Write("people.txt.gz", content), "--org", _id, "--json"));
        Assert.Equal([(ImportFormat.Csv, false), (ImportFormat.NdJson, false), (ImportFormat.Csv, true)],
            ((string[])[csv, json, gzip]).Select(id => (cluster.StandIns.Imports[id].Format, cluster.StandIns.Imports[id].IsGzip)));
        Assert.Equal(json, Id(await RunAsync("import", Write("people.ndjson", content), "--org", _id, "--json")));
    }

    [Fact]
    public async Task Import_ThatHasFailed_IsSentAgainOnce()
    {
        string[] command = ["import", Write("people.csv", "name\nAda\n"), "--org", _id, "--json"];
        var first = Id(await RunAsync(command));
        Has(first, ImportState.Failed);
        var second = await RunAsync(command);
        Assert.Equal((0, ""), (second.Code, second.Errors));
        Assert.NotEqual(first, Id(second));
        Assert.Equal(Id(second), Id(await RunAsync(command)));

        Has(Id(second), ImportState.Failed);
        var third = Id(await RunAsync(command));
        Assert.DoesNotContain(third, (string[])[first, Id(second)]);
        Has(third, ImportState.Running, ImportState.Completed);
        Assert.Equal(third, Id(await RunAsync(command)));
    }

    [Fact]
    public async Task Import_WhoseStateCannotBeAskedOnce_IsFollowedToItsEnd()
    {
        await using var gateway = await StartAsync(new PollAnswers(PollAnswers.Unavailable).AddTo);
        var done = await CommandTests.RunAsync(gateway, ["import", Write("people.csv", "name\nAda\n"), "--org", _id]);
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Contains("completed. 1 imported", done.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Import_WhoseStateCannotBeAskedForLong_SaysThatItMayGoOn()
    {
        await using var gateway = await StartAsync(new PollAnswers(PollAnswers.UnavailableForLong).AddTo);
        var left = await CommandTests.RunAsync(gateway, ["import", Write("people.csv", "name\nAda\n"), "--org", _id]);
        Assert.Equal(1, left.Code);
        Assert.Matches($@"^No silo answers\. It may still go on; GET /api/admin/organizations/{_id}/imports/[0-9a-f-]{{36}} tells how it ends\. \(cluster_unavailable\)\n$", left.Errors);
    }

    [Theory]
    [InlineData]
    [InlineData("--again")]
    public async Task File_ThatCannotBeRead_IsNamedInOneSentence(params string[] options)
    {
        var file = Write("people.csv", "name\nAda\n");
        // What is locked is shut to root too, who may read every file.
        await using var locked = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        var refused = await RunAsync(["import", file, "--org", _id, .. options]);
        Assert.Equal(2, refused.Code);
        Assert.Matches($@"^{file} cannot be read: [^\n]+\n$", refused.Errors);
    }

    [Fact]
    public async Task Refusal_IsToldWithItsCode()
    {
        cluster.StandIns.Failures[$"{_id}/prepare"] = new OrganizationException(OrganizationErrorCode.ImportInProgress, "Another one runs.");
        var refused = await RunAsync("import", Write("people.json", "[]"), "--org", _id);
        Assert.Equal((1, "Another one runs. (import_in_progress)\n"), (refused.Code, refused.Errors));
    }

    private Task<TestGateway> StartAsync(Action<WebApplicationBuilder>? configure) =>
        TestGateway.Start(cluster.Client, configure, ("Gcs:BucketName", "bucket"), ("Gcs:EmulatorHost", _bucket.Url.Authority));

    private static string Id((int Code, string Output, string Errors) answer) => JsonDocument.Parse(answer.Output).RootElement.GetProperty("id").GetString()!;

    private void Has(string id, params ImportState[] states) => cluster.StandIns.ImportStatuses[id] = new(states.Select(state => new ImportStatus
    {
        Id = id,
        State = state,
        StartedAt = TimeProvider.System.GetUtcNow(),
        Errors = state == ImportState.Failed ? [new ImportError(0, "disk_full", "The disk is full.")] : [],
    }));

    private static byte[] Compressed(ReadOnlySpan<byte> content)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest)) gzip.Write(content);
        return compressed.ToArray();
    }

    private string Write(string name, string content) => Write(name, Encoding.UTF8.GetBytes(content));

    private string Write(string name, byte[] content)
    {
        File.WriteAllBytes(_folder[name], content);
        return _folder[name];
    }

    private Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) => CommandTests.RunAsync(_gateway, arguments);
}
