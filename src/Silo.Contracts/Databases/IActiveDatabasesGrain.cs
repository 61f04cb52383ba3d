namespace Silo.Contracts.Databases;

/// <summary>The active databases of all silos; key 0. Asking never activates one and never counts as use.</summary>
[Alias("silo.IActiveDatabasesGrain")]
public interface IActiveDatabasesGrain : IGrainWithIntegerKey
{
    /// <summary>Every active database, by organization.</summary>
    [Alias("list")]
    Task<IReadOnlyList<DatabaseStatus>> List(CancellationToken cancellationToken);

    /// <summary>One of them; null when it is not active.</summary>
    [Alias("find")]
    Task<DatabaseStatus?> Find(OrganizationId organization, CancellationToken cancellationToken);

    /// <summary>Begins to put one away; false when it is not active.</summary>
    [Alias("deactivate")]
    Task<bool> Deactivate(OrganizationId organization, CancellationToken cancellationToken);

    /// <summary>The addresses of silos that have left the cluster, in order or not, as far as it still knows of them.</summary>
    [Alias("dead-silos")]
    Task<IReadOnlyList<string>> DeadSilos(CancellationToken cancellationToken);
}
