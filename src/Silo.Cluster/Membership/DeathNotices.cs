using Silo.Storage.Lease;

namespace Silo.Cluster.Membership;

/// <summary>Passes on which silos the membership has declared dead to those who wait for the leases that these left.</summary>
internal sealed class DeathNotices(ISiloStatusOracle membership, ILocalSiloDetails self, KnownDeaths deaths) : IHostedService, ISiloStatusListener
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        membership.SubscribeToSiloStatusEvents(this);
        foreach (var (silo, status) in membership.GetApproximateSiloStatuses(onlyActive: false)) SiloStatusChangeNotification(silo, status);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        membership.UnSubscribeFromSiloStatusEvents(this);
        return Task.CompletedTask;
    }

    public void SiloStatusChangeNotification(SiloAddress updatedSilo, SiloStatus status)
    {
        if (status == SiloStatus.Dead) deaths.Add(self.ClusterId, updatedSilo.ToString());
    }
}
