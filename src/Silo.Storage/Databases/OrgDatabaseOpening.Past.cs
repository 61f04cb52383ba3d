using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Gcs;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Databases;

public sealed partial class OrgDatabaseOpening
{
    /// <summary>Whether files of a crash are on this machine, which may have rows that the bucket has not.</summary>
    public bool HasLeftovers(OrganizationId organization) =>
        OrgFiles.Find(_options.DataDirectory, organization).Any(files => File.Exists(files.Database));

    /// <summary>
    /// Brings a state of the past back beside the database, which serves on: the newest that the bucket has at or before a moment,
    /// proven. Nothing in the bucket is changed.
    /// </summary>
    /// <param name="organization">Its row of the catalog.</param>
    /// <param name="moment">By the bucket's clock.</param>
    /// <param name="cancellationToken">Gives up; nothing stays.</param>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.RestorePointNotFound"/>, or <see cref="OrganizationErrorCode.DatabaseUnavailable"/> when there is
    /// one that cannot be reached or proven.
    /// </exception>
    public async Task<PastState> BringBackAsync(Organization organization, DateTimeOffset moment, CancellationToken cancellationToken)
    {
        try
        {
            var replicaPath = organization.GcsReplicaPath ?? throw new HeadException(organization.Id, "the catalog names no replica path.");
            await _turns.WaitAsync(cancellationToken);
            try
            {
                return await new PastStates(_bucket, _litestream, _options.DataDirectory).BringBackAsync(organization.Id, replicaPath, moment, cancellationToken);
            }
            finally
            {
                _turns.Release();
            }
        }
        catch (NoPastStateException e)
        {
            throw new OrganizationException(OrganizationErrorCode.RestorePointNotFound, e.Message, e);
        }
        catch (Exception e) when (IsExplained(e))
        {
            LogFailed(organization.Id, e.Message);
            // Whoever asks for this is an operator, and needs to know which object it is.
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, e.Message, e);
        }
    }

    /// <summary>
    /// Opens a state of the past as the database from now on: under a new epoch, published before this returns. Until it is
    /// published the truth is what it was, also after a crash; afterwards that stays in the bucket for as long as replicas do.
    /// </summary>
    /// <param name="organization">Its row of the catalog. Its database is not open.</param>
    /// <param name="past">The state.</param>
    /// <param name="owner">This activation.</param>
    /// <param name="phases">Receives how long each phase took, in milliseconds.</param>
    /// <param name="cancellationToken">Gives up; nothing stays open.</param>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.DatabaseUnavailable"/>, whatever the cause, which is inside.</exception>
    public Task<OrgDatabase> OpenPastAsync(Organization organization, PastState past, HeadOwner owner, ActivationPhases phases, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(past);
        return OpenChosenAsync(organization, past.Chosen, owner, phases, cancellationToken);
    }

    /// <summary>Opens a file that an operator chose as the database from now on, as <see cref="OpenPastAsync"/> does.</summary>
    internal async Task<OrgDatabase> OpenChosenAsync(Organization organization, ChosenFile chosen, HeadOwner owner, ActivationPhases phases, CancellationToken cancellationToken)
    {
        var database = await OpenAsync(organization, owner, chosen, phases, cancellationToken);
        try
        {
            await database.FlushAsync(cancellationToken);
        }
        catch (FlushException) when (database.Status().Generation is not null)
        {
            // It is published, and its snapshot is in the bucket: from here on it is a database that is behind, like any other.
        }
        catch (FlushException e)
        {
            // As after a crash: the next opening asks the head which of both is the truth.
            await database.AbandonAsync();
            LogFailed(organization.Id, e.Message);
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The chosen rows could not be published. The truth is what it was.", e);
        }
        catch
        {
            // Open and known to nobody, it would keep the lease for ever.
            await database.AbandonAsync();
            throw;
        }
        database.Confirm();
        return database;
    }

    private OrgWriter OpenChosen(ChosenFile chosen, IReadOnlyList<OrgFiles> leftovers, OwnershipLease lease, OrgFiles files)
    {
        foreach (var left in leftovers)
        {
            if (File.Exists(left.Database)) LogSetAside(lease.Organization, left.Epoch, left.SetAside(_time.GetUtcNow()), "an operator chose other rows");
            else left.Delete();
        }
        chosen.Files.MarkChosen();
        files.TakeOver(chosen.Files);
        var writer = new OrgWriter(files.Database);
        try
        {
            // What the head says of the truth so far is no measure for these rows; what it will say of them must be above it.
            OrgSchema.RaiseHighWaterAbove(writer.Connection, lease.Base?.HighWater ?? 0);
            LogChosen(lease.Organization, lease.Epoch, chosen.Origin);
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }
}
