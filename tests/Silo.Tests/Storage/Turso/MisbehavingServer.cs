using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

/// <summary>A server that does what the real one does on bad days, and a client of it.</summary>
internal sealed class MisbehavingServer : IAsyncDisposable
{
    public const int Retries = 2;
    public const string Done = """{"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[],"affected_row_count":1,"last_insert_rowid":null}}},{"type":"ok","response":{"type":"close"}}]}""";
    public const string CursorBegin = "{\"baton\":null,\"base_url\":null}\n{\"type\":\"step_begin\",\"step\":0,\"cols\":[{\"name\":\"a\",\"decltype\":null}]}\n";
    public const string CursorRow = "{\"type\":\"row\",\"row\":[{\"type\":\"integer\",\"value\":\"1\"}]}\n";
    public const string CursorEnd = "{\"type\":\"step_end\",\"affected_row_count\":0,\"last_insert_rowid\":null}\n";

    public static readonly TursoStatement Statement = new("INSERT INTO t VALUES (1)");

    // A time of ours, so that what is slow is not what the machine is busy with. It goes on by itself for the waits between tries.
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromHours(1);

    private readonly CancellationTokenSource _over = new();
    private readonly Task _clock;
    private int _requests;

    public MisbehavingServer()
    {
        Bench = new TursoBench(Time);
        _clock = RunClockAsync();
    }

    /// <summary>The client's.</summary>
    public FakeTimeProvider Time { get; } = new();

    public TursoBench Bench { get; }

    /// <summary>How many it was asked.</summary>
    public int Requests
    {
        get => Volatile.Read(ref _requests);
        set => Volatile.Write(ref _requests, value);
    }

    /// <summary>Starts it.</summary>
    /// <returns>What its client sees of it.</returns>
    public async Task<TursoDatabase> ServeAsync(RequestDelegate answer, Action<TursoOptions>? configure = null)
    {
        var url = await Bench.ServeAsync(context =>
        {
            Interlocked.Increment(ref _requests);
            return answer(context);
        });
        return Bench.Open(url, options =>
        {
            (options.Retries, options.RequestTimeout, options.TotalTimeout) = (Retries, RequestTimeout, 100 * RequestTimeout);
            configure?.Invoke(options);
        });
    }

    /// <summary>A write and two ways to read, and how often each is to be tried.</summary>
    public static IEnumerable<(Func<Task> Request, int Tries)> RequestsTo(TursoDatabase database, int writes, int reads) =>
    [
        (() => database.ExecuteAsync(Statement, TursoBench.Cancellation), writes),
        (() => database.QueryAsync(Statement, TursoBench.Cancellation), reads),
        (() => database.OpenCursorAsync(Statement, TursoBench.Cancellation), reads),
    ];

    /// <summary>Waits until the client has gone.</summary>
    public static async Task GoneAsync(CancellationToken aborted)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = aborted.Register(gone.SetResult);
        await gone.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _clock;
        _over.Dispose();
        await Bench.DisposeAsync();
    }

    private async Task RunClockAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(_over.Token)) Time.Advance(TimeSpan.FromMilliseconds(1));
        }
        catch (OperationCanceledException)
        {
            // that is how it ends
        }
    }
}
