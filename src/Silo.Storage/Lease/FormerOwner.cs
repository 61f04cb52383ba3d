using Silo.Storage.Gcs;

namespace Silo.Storage.Lease;

/// <summary>Knows when the owner that a head names is dead although its lease runs, so that nobody has to wait for its end.</summary>
/// <param name="self">Who asks; it holds its data folder's lock and has no open database of the organization.</param>
/// <param name="isLitestreamEnded">Whether the Litestream of an epoch is known to have ended, or never to have begun, on this machine.</param>
/// <param name="deaths">Owners that their cluster has declared dead.</param>
/// <param name="options">How long the Litestream of a dead owner may go on.</param>
internal sealed class FormerOwner(HeadOwner self, Func<long, bool> isLitestreamEnded, KnownDeaths deaths, LeaseOptions options)
{
    /// <summary>How long the Litestream of a dead owner may still upload; null when the owner is not known to be dead.</summary>
    public TimeSpan? DrainOf(OrganizationHead head)
    {
        // One process at a time has a data folder, and we have this one: whoever else had it is dead, and what failed in this
        // process ended its own Litestream.
        if (self.DataDirectoryId is null || head.Owner.DataDirectoryId != self.DataDirectoryId)
        {
            if (deaths.Since(head.Owner) is not { } known) return null;
            // Its Litestream ends by itself soon after its silo has.
            return known < options.DrainTime ? options.DrainTime - known : TimeSpan.Zero;
        }
        var isThisProcess = head.Owner.ClusterId == self.ClusterId && head.Owner.Silo == self.Silo;
        return isThisProcess || isLitestreamEnded(head.Epoch) ? TimeSpan.Zero : options.DrainTime;
    }
}
