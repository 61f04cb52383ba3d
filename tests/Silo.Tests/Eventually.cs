using System.Diagnostics;

namespace Silo.Tests;

/// <summary>Waits for what another process does and tells nobody: looks again and again, and fails after a time no healthy run needs.</summary>
public static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task<T> GetAsync<T>(Func<Task<T?>> look, string what)
        where T : class
    {
        var since = Stopwatch.StartNew();
        while (since.Elapsed < Limit)
        {
            if (await look() is { } found) return found;
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        throw new TimeoutException($"Not within {Limit.TotalSeconds} s: {what}");
    }

    public static Task IsAsync(Func<bool> look, string what) => GetAsync(() => Task.FromResult(look() ? "yes" : null), what);
}
