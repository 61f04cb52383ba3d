using System.Diagnostics;
using System.Text.Json;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;
using Silo.Storage.Litestream;
using Silo.Tests.Gateway;

namespace Silo.Tests.Cli;

/// <summary>The real program against a real gateway; only the grains behind it are stand-ins.</summary>
[Collection(GatewayCollection.Name)]
public sealed class CommandTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "cli-" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;

    /// <summary>The program.</summary>
    internal static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "silo");

    private string[] Restore => ["restore", "--org", _id, "--at", "2026-01-02T03:04:05Z", "--yes"];

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Locks.Clear();
        cluster.StandIns.Active.Clear();
        cluster.StandIns.Organizations[_id] = new Organization { Id = OrganizationId.Parse(_id), Name = _id, DbType = OrganizationDbType.Sqlite };
        _gateway = await TestGateway.Start(cluster.Client);
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Restore_DryRun_ShowsWhatWouldComeBack()
    {
        var shown = await RunAsync("restore", "--org", _id, "--at", "2026-01-02T03:04:05Z", "--dry-run");
        Assert.Equal(0, shown.Code);
        Assert.Contains("7 contacts, from generation 0123456789abcdef of epoch 3", shown.Output, StringComparison.Ordinal);
        Assert.Contains("Nothing was changed.", shown.Output, StringComparison.Ordinal);
        Assert.True(cluster.StandIns.Restores[_id].DryRun);
    }

    [Fact]
    public async Task Restore_WithYes_IsDone()
    {
        var done = await RunAsync("restore", "--org", _id, "--at", "2026-01-02T03:04:05Z", "--yes", "--json");
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Equal(5, JsonDocument.Parse(done.Output).RootElement.GetProperty("newEpoch").GetInt64());
        Assert.False(cluster.StandIns.Restores[_id].DryRun);
    }

    [Fact]
    public async Task Restore_WhoseStateCannotBeAskedOnce_IsFollowedToItsEnd()
    {
        var running = Running();
        cluster.StandIns.Restores[_id] = running;
        await using var gateway = await TestGateway.Start(cluster.Client, new PollAnswers((context, next) =>
        {
            cluster.StandIns.Restores[_id] = running with { State = RestoreState.Completed, FinishedAt = running.At, StateAt = running.At, NewEpoch = 5 };
            return PollAnswers.Unavailable(context, next);
        }).AddTo);
        var done = await RunAsync(gateway, Restore);
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Contains("in epoch 5", done.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Restore_WhoseStateCannotBeAskedForLong_SaysThatItMayGoOn()
    {
        cluster.StandIns.Restores[_id] = Running();
        await using var gateway = await TestGateway.Start(cluster.Client, new PollAnswers(PollAnswers.UnavailableForLong).AddTo);
        var left = await RunAsync(gateway, Restore);
        Assert.Equal((1, $"No silo answers. It may still go on; GET /api/admin/organizations/{_id}/restore tells how it ends. (cluster_unavailable)\n"), (left.Code, left.Errors));
    }

    [Theory]
    [InlineData(1, 0, false)]
    [InlineData(0, 1, false)]
    [InlineData(0, 0, true)]
    public async Task Restore_WhosePlaceAnotherTook_IsNotSaidToBeDone(int later, int otherMoment, bool dryRun)
    {
        var running = Running();
        cluster.StandIns.Restores[_id] = running;
        await using var gateway = await TestGateway.Start(cluster.Client, new PollAnswers((context, next) =>
        {
            cluster.StandIns.Restores[_id] = running with
            {
                State = RestoreState.Completed,
                StartedAt = running.StartedAt.AddSeconds(later),
                At = running.At.AddSeconds(otherMoment),
                DryRun = dryRun,
                StateAt = running.At,
                NewEpoch = 5,
            };
            return next(context);
        }).AddTo);
        var other = await RunAsync(gateway, Restore);
        Assert.Equal((1, "", "Another restore has taken its place.\n"), other);
    }

    [Fact]
    public async Task Restore_ThatIsInterrupted_SaysThatItGoesOn()
    {
        cluster.StandIns.Restores[_id] = Running();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var gateway = await TestGateway.Start(cluster.Client, new PollAnswers((context, next) =>
        {
            asked.TrySetResult();
            return next(context);
        }).AddTo);
        var interrupted = await RunAsync(gateway, new ProcessStartInfo(Program, Restore), async process =>
        {
            await asked.Task.WaitAsync(TestContext.Current.CancellationToken);
            ChildProcess.Find(process.Id)!.Value.Terminate();
        });
        Assert.Equal((1, "", $"Interrupted. What was begun goes on; GET /api/admin/organizations/{_id}/restore tells how it ends.\n"), interrupted);
    }

    [Fact]
    public async Task Restore_WhereNobodyCanBeAsked_IsNotDone()
    {
        var refused = await RunAsync("restore", "--org", _id, "--at", "2026-01-02T03:04:05Z");
        Assert.Equal(2, refused.Code);
        Assert.Contains("--yes", refused.Errors, StringComparison.Ordinal);
        Assert.False(cluster.StandIns.Restores.ContainsKey(_id));
    }

    [Fact]
    public async Task Restore_AsAnother_AsksNobodyAndSaysWhatIsNew()
    {
        var copy = "copy-" + Guid.NewGuid().ToString("N");
        var done = await RunAsync("restore", "--org", _id, "--at", "2026-01-02T03:04:05Z", "--as", copy, "--name", "New");
        Assert.Equal((0, ""), (done.Code, done.Errors));
        Assert.Contains($"{copy} is made of it. {_id} is what it was.", done.Output, StringComparison.Ordinal);
        Assert.Equal("New", cluster.StandIns.Names[copy]);

        cluster.StandIns.Failures[copy] = new OrganizationException(OrganizationErrorCode.OrganizationExists, "It is there.");
        Assert.Equal((1, "It is there. (organization_exists)\n"), ((await RunAsync("restore", "--org", _id, "--at", "2026-01-02T03:04:05Z", "--as", copy)) is var refused ? (refused.Code, refused.Errors) : default));
    }

    [Fact]
    public async Task Refusal_IsOneSentenceWithItsCode()
    {
        cluster.StandIns.Failures[_id] = new OrganizationException(OrganizationErrorCode.RestorePointNotFound, "Nothing so old.");
        var refused = await RunAsync("restore", "--org", _id, "--at", "2026-01-02T03:04:05Z", "--yes");
        Assert.Equal((1, "Nothing so old. (restore_point_not_found)\n"), (refused.Code, refused.Errors));
        var invalid = await RunAsync("restore", "--org", _id, "--at", "yesterday", "--yes");
        Assert.Equal(1, invalid.Code);
        Assert.EndsWith("at: A moment is written as 2026-03-01T09:30:00Z, with its offset. (validation_failed)\n", invalid.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Locks_AreListedAndReleased()
    {
        Assert.Equal("No organization is locked.\n", (await RunAsync("locks", "list")).Output);
        cluster.StandIns.Locks[_id] = new LockStatus
        {
            Organization = OrganizationId.Parse(_id),
            State = "active",
            Epoch = 2,
            Cluster = "blue",
            Silo = "s",
            AgeSeconds = 18,
            ExpiresInSeconds = 0,
            Expired = true,
        };
        var list = await RunAsync("locks", "list");
        Assert.Contains("blue", list.Output, StringComparison.Ordinal);
        Assert.Contains("expired", list.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("locks", "release", _id)).Code);
        Assert.Empty(cluster.StandIns.Locks);
        var again = await RunAsync("locks", "release", _id);
        Assert.Equal(1, again.Code);
        Assert.Contains("(lock_not_found)", again.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WarmAndDatabases_AreAsked()
    {
        Assert.Equal(0, (await RunAsync("warm", _id)).Code);
        await cluster.StandIns.Arrival(_id).WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal("No database is active.\n", (await RunAsync("databases")).Output);
        cluster.StandIns.Active[_id] = new DatabaseStatus
        {
            Organization = OrganizationId.Parse(_id),
            Silo = "silo-1",
            State = DatabaseState.Active,
            ActivatedAt = DateTimeOffset.UnixEpoch,
            ActivationMs = new Dictionary<string, double>(),
        };
        var json = await RunAsync("databases", "--json");
        Assert.Equal("silo-1", JsonDocument.Parse(json.Output).RootElement.GetProperty("items")[0].GetProperty("silo").GetString());
    }

    [Theory]
    [InlineData("restore --org x")]
    [InlineData("restore --org x --at 2026-01-02T03:04:05Z --as A")]
    [InlineData("restore --org x --at 2026-01-02T03:04:05Z --name n --yes")]
    [InlineData("migrate --org A")]
    [InlineData("migrate --all --org x")]
    [InlineData("migrate --all --parallel 0 --yes")]
    [InlineData("migrate --org x --dry-run --verify-only")]
    [InlineData("migrate --org x --discard-new-writes")]
    [InlineData("migrate --rollback x --org y")]
    [InlineData("migrate --org x")]
    [InlineData("migrate")]
    [InlineData("orgs list --type mysql")]
    [InlineData("warm ../x")]
    [InlineData("locks release A")]
    [InlineData("nothing")]
    [InlineData("databases --unknown")]
    public async Task CommandLine_ThatIsWrong_IsRefusedWithTwo(string line)
    {
        var refused = await RunAsync(line.Split(' '));
        Assert.Equal(2, refused.Code);
        Assert.NotEmpty(refused.Errors);
    }

    [Fact]
    public async Task Settings_ThatAreWrong_AreNamed()
    {
        Assert.Contains("SILO_TOKEN", (await RunAsync(["databases"], ("SILO_TOKEN", ""))).Errors, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync(["databases"], ("SILO_URL", "ftp://x"))).Code);
        var unreachable = await RunAsync(["databases"], ("SILO_URL", "http://127.0.0.1:1"));
        Assert.Equal(1, unreachable.Code);
        Assert.Contains("cannot be reached", unreachable.Errors, StringComparison.Ordinal);
        var bad = await RunAsync(["databases"], ("SILO_TOKEN", "x"));
        Assert.Equal(1, bad.Code);
        Assert.Contains("(unauthenticated)", bad.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_TellsTheExitCodes()
    {
        var help = await RunAsync("--help");
        Assert.Equal(0, help.Code);
        Assert.Contains("Exit codes: 0 done, 1 refused or failed, 2", help.Output, StringComparison.Ordinal);
    }

    private RestoreStatus Running() => new()
    {
        Organization = OrganizationId.Parse(_id),
        State = RestoreState.Running,
        DryRun = false,
        At = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        StartedAt = new DateTimeOffset(2026, 1, 2, 4, 4, 5, TimeSpan.Zero).AddTicks(1),
    };

    private Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) => RunAsync(arguments, []);

    private Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments, params (string Name, string Value)[] environment) => RunAsync(_gateway, arguments, environment);

    /// <summary>Runs the program against a gateway.</summary>
    internal static Task<(int Code, string Output, string Errors)> RunAsync(TestGateway gateway, string[] arguments, params (string Name, string Value)[] environment) =>
        RunAsync(gateway, new ProcessStartInfo(Program, arguments), null, environment);

    /// <inheritdoc cref="RunAsync(TestGateway, string[], ValueTuple{string, string}[])"/>
    /// <param name="gateway">The gateway.</param>
    /// <param name="start">The program, or what becomes it.</param>
    /// <param name="meanwhile">Done while it runs.</param>
    /// <param name="environment">Variables that differ.</param>
    internal static async Task<(int Code, string Output, string Errors)> RunAsync(
        TestGateway gateway, ProcessStartInfo start, Func<Process, Task>? meanwhile, params (string Name, string Value)[] environment)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = start.RedirectStandardInput = true;
        start.Environment["SILO_URL"] = gateway.Url.ToString();
        start.Environment["SILO_TOKEN"] = gateway.Tokens.Admin();
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        if (meanwhile is not null) await meanwhile(process);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await errors);
    }
}
