using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Tests.Gateway;

namespace Silo.Tests.Cli;

/// <summary>A file appears whole and checked, or not at all, and never over another one unasked.</summary>
[Collection(GatewayCollection.Name)]
public sealed class ExportCommandTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "cli-" + Guid.NewGuid().ToString("N");
    private readonly TestFolder _folder = new();
    private readonly byte[] _file = RandomNumberGenerator.GetBytes((2 * ExportedFile.PieceBytes) + 3);
    private TestGateway _gateway = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Organizations[_id] = new Organization { Id = OrganizationId.Parse(_id), Name = _id, DbType = OrganizationDbType.Sqlite };
        cluster.StandIns.Files[_id] = _file;
        _gateway = await TestGateway.Start(cluster.Client);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Export_WithAName_WritesTheFileForThisUserOnly()
    {
        var done = await RunAsync("--out", _folder["copy.db"], "--json");
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Equal(_file, await File.ReadAllBytesAsync(_folder["copy.db"], Token));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["copy.db"]));
        var json = JsonDocument.Parse(done.Output).RootElement;
        Assert.Equal((_id, _folder["copy.db"], _file.Length, Convert.ToHexStringLower(SHA256.HashData(_file))),
            (json.GetProperty("organization").GetString(), json.GetProperty("file").GetString(), json.GetProperty("bytes").GetInt64(), json.GetProperty("sha256").GetString()));
        Assert.Single(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task Export_OverAFile_NeedsForce()
    {
        await File.WriteAllTextAsync(_folder["copy.db"], "precious", Token);
        var refused = await RunAsync("--out", _folder["copy.db"]);
        Assert.Equal(2, refused.Code);
        Assert.Contains("--force", refused.Errors, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(_folder["copy.db"], Token));
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);

        Assert.Equal(0, (await RunAsync("--out", _folder["copy.db"], "--force")).Code);
        Assert.Equal(_file, await File.ReadAllBytesAsync(_folder["copy.db"], Token));
    }

    [Fact]
    public async Task Export_BesideAnothersUnfinishedFile_LeavesItAlone()
    {
        // In containers of one folder process ids are the same; here the shell becomes the program, and keeps its own.
        var start = new ProcessStartInfo("sh", ["-c", """printf other > "$0.$$.part" && exec "$@" """, _folder["copy.db"], CommandTests.Program, "export", _id, "--out", _folder["copy.db"]]);
        var done = await CommandTests.RunAsync(_gateway, start, null);
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Equal(_file, await File.ReadAllBytesAsync(_folder["copy.db"], Token));
        Assert.Equal("other", await File.ReadAllTextAsync(Assert.Single(Directory.EnumerateFiles(_folder.Path, "*.part")), Token));
    }

    [Fact]
    public async Task Export_IntoAFolderThatIsNone_IsRefusedBeforeAnythingIsAsked()
    {
        Assert.Equal(2, (await RunAsync("--out", _folder["none/copy.db"])).Code);
        Assert.Equal(2, (await RunAsync("--out", _folder.Path)).Code);
        Assert.Equal(0, cluster.StandIns.Arrival(_id).CurrentCount);
    }

    [Fact]
    public async Task Export_ThatBreaksOff_LeavesNoFileAndWhatWasThere()
    {
        cluster.StandIns.BrokenExports[_file] = true;
        await File.WriteAllTextAsync(_folder["copy.db"], "precious", Token);
        var broken = await RunAsync("--out", _folder["copy.db"], "--force");
        Assert.Equal(1, broken.Code);
        Assert.Contains("The transfer broke off after", broken.Errors, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(_folder["copy.db"], Token));
        Assert.Single(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task Export_ThatWasDamagedOnItsWay_LeavesNoFile()
    {
        cluster.StandIns.Checksums[_file] = new string('0', 64);
        var damaged = await RunAsync("--out", _folder["copy.db"]);
        Assert.Equal(1, damaged.Code);
        Assert.Contains("damaged on its way", damaged.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public async Task Export_ThatIsRefused_IsOneSentenceWithItsCode()
    {
        cluster.StandIns.Failures[_id] = new OrganizationException(OrganizationErrorCode.TooManyRequests, "Too many.");
        Assert.Equal((1, "", "Too many. (too_many_requests)\n"), await RunAsync("--out", _folder["copy.db"]));
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    private Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) => CommandTests.RunAsync(_gateway, ["export", _id, .. arguments]);
}
