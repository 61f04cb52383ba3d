using Silo.Contracts;
using Silo.Storage.Gcs;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Databases;

/// <summary>Finds and brings back what an organization's rows were at a moment. Only the bucket is read; nothing in it is changed.</summary>
/// <param name="bucket">The bucket.</param>
/// <param name="litestream">Makes the file.</param>
/// <param name="dataDirectory">The silo's data folder.</param>
internal sealed class PastStates(BucketClient bucket, LitestreamRuntime litestream, string dataDirectory)
{
    /// <summary>The newest state at or before a moment, by the bucket's clock, proven.</summary>
    /// <exception cref="NoPastStateException">There is none so old.</exception>
    /// <exception cref="ReplicaIncompleteException">It cannot be proven. An older moment may be; that choice is the operator's.</exception>
    public async Task<PastState> BringBackAsync(OrganizationId organization, string replicaPath, DateTimeOffset moment, CancellationToken cancellationToken)
    {
        var plan = await FindAsync(organization, replicaPath, moment, cancellationToken);
        var files = OrgFiles.Temporary(dataDirectory, organization);
        try
        {
            files.CreateFolder();
            await litestream.Restore.RunAsync(organization, plan, files.Restoring, cancellationToken);
            File.Move(files.Restoring, files.Database);
            var contacts = await Task.Run(() => Prove(files), cancellationToken);
            return new PastState(files, plan, contacts);
        }
        catch
        {
            await new PastState(files, plan, 0).DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// The greatest epoch that had begun by then, and in it the generation that began last. What a former owner uploaded later, to
    /// the prefix of its own, smaller epoch, is never looked at; nor is any epoch before one of which Litestream has deleted the
    /// beginning, for that one may have begun by then.
    /// </summary>
    private async Task<RestorePlan> FindAsync(OrganizationId organization, string replicaPath, DateTimeOffset moment, CancellationToken cancellationToken)
    {
        DateTimeOffset? oldest = null;
        foreach (var epoch in (await EpochsAsync(bucket, replicaPath, cancellationToken)).OrderDescending())
        {
            var generations = await new ReplicaInventory(bucket).ReadAllAsync(replicaPath, epoch, cancellationToken);
            foreach (var generation in generations.OrderByDescending(found => found.Began))
            {
                if (generation.At(moment) is { } plan) return plan;
                if (generation.Began is { } began && (oldest is null || began < oldest)) oldest = began;
            }
            // What an older epoch ended with may be long past by then.
            if (generations.Where(found => found.Began is not null).MinBy(found => found.Began) is { HasBeginning: false }) break;
        }
        throw new NoPastStateException(organization, moment, oldest);
    }

    /// <summary>The epochs that have objects, in no order; 0 for what the older system made.</summary>
    internal static async Task<List<long>> EpochsAsync(BucketClient bucket, string replicaPath, CancellationToken cancellationToken)
    {
        List<long> epochs = [.. (await EpochPrefixes.ListAsync(bucket, replicaPath, cancellationToken)).Epochs];
        if (await bucket.ExistsAnyAsync($"{replicaPath}/generations/", cancellationToken)) epochs.Add(0);
        return epochs;
    }

    private static long Prove(OrgFiles files)
    {
        using var writer = new OrgWriter(files.Database);
        OrgSchema.CheckWhole(writer.Connection, files.Organization);
        OrgSchema.Migrate(writer.Connection, files.Organization);
        return writer.Connection.Scalar<long>("SELECT count(*) FROM contacts");
    }
}
