namespace Silo.SystemTests.Faults;

/// <summary>
/// Time that passes because time is what the story is about: members pause between their requests, faults last, a slow network is
/// late. Nothing is ever expected to have happened after it.
/// </summary>
internal static class Pause
{
    /// <summary>Ends after the time, or as soon as the token is cancelled.</summary>
    public static async Task ForAsync(TimeSpan time, CancellationToken enough) =>
        await Task.Delay(time, enough).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
