namespace Silo.Contracts.Organizations;

/// <summary>A row of the catalog.</summary>
[GenerateSerializer, Immutable, Alias("silo.Organization")]
public sealed record Organization
{
    /// <summary>Its id.</summary>
    [Id(0)] public required OrganizationId Id { get; init; }

    /// <summary>Its name for people, 1 to 200 characters.</summary>
    [Id(1)] public required string Name { get; init; }

    /// <summary>Where its rows live.</summary>
    [Id(2)] public required OrganizationDbType DbType { get; init; }

    /// <summary>Its libSQL address, when it lives on Turso.</summary>
    [Id(3)] public string? TursoUrl { get; init; }

    /// <summary>The bucket of its replica.</summary>
    [Id(4)] public string? GcsBucketName { get; init; }

    /// <summary>The object name prefix of its replica, without a slash at the end.</summary>
    [Id(5)] public string? GcsReplicaPath { get; init; }

    /// <summary>True while it is being migrated: reads go on, writes are refused.</summary>
    [Id(6)] public bool IsDbProvisioning { get; init; }

    /// <summary>What its writes wait for unless a request says otherwise.</summary>
    [Id(7)] public Durability Durability { get; init; }

    /// <summary>When it was added; null for a row of the older system that does not say.</summary>
    [Id(8)] public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The name of the secret that its Turso database is reached with; null for the token of all.</summary>
    [Id(9)] public string? TursoSecret { get; init; }
}

/// <summary>Where an organization's rows live.</summary>
public enum OrganizationDbType
{
    /// <summary>A Turso (libSQL) database.</summary>
    Turso,

    /// <summary>A SQLite file that Litestream replicates.</summary>
    Sqlite,
}

/// <summary>What an operator says of a new organization.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name for people, 1 to 200 characters.</param>
/// <param name="DbType">Where its rows live.</param>
/// <param name="TursoUrl">Required for <see cref="OrganizationDbType.Turso"/>, refused for SQLite.</param>
/// <param name="Durability">What its writes wait for; null for the service's default.</param>
/// <param name="TursoSecret">The name of the secret that its Turso database is reached with; null for the token of all.</param>
[GenerateSerializer, Immutable, Alias("silo.NewOrganization")]
public sealed record NewOrganization(
    [property: Id(0)] OrganizationId Id,
    [property: Id(1)] string Name,
    [property: Id(2)] OrganizationDbType DbType,
    [property: Id(3)] string? TursoUrl,
    [property: Id(4)] Durability? Durability,
    [property: Id(5)] string? TursoSecret = null);

/// <summary>A page of the catalog, by id.</summary>
/// <param name="Items">The rows.</param>
/// <param name="NextCursor">Where the next page begins; null after the last.</param>
[GenerateSerializer, Immutable, Alias("silo.OrganizationPage")]
public sealed record OrganizationPage([property: Id(0)] IReadOnlyList<Organization> Items, [property: Id(1)] string? NextCursor);
