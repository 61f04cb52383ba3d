namespace Silo.Storage.Lease;

/// <summary>How old a head is by the bucket's clock; ours is not asked.</summary>
internal static class HeadAge
{
    /// <summary>Both times come in whole seconds, cut off: the object may be almost a second younger than their difference.</summary>
    private static readonly TimeSpan Precision = TimeSpan.FromSeconds(1);

    /// <summary>The least age that the bucket's answer allows for.</summary>
    /// <param name="serverTime">The answer's <c>Date</c>.</param>
    /// <param name="updated">The object's <c>updated</c>.</param>
    public static TimeSpan AtLeast(DateTimeOffset serverTime, DateTimeOffset updated) =>
        serverTime - updated - Precision is { Ticks: > 0 } age ? age : TimeSpan.Zero;
}
