namespace Silo.Contracts.Databases;

/// <summary>A lease in the bucket that was not given back: held by an owner that is alive, or left by one that is not.</summary>
[GenerateSerializer, Immutable, Alias("silo.LockStatus")]
public sealed record LockStatus
{
    /// <summary>Whose database it is for.</summary>
    [Id(0)] public required OrganizationId Organization { get; init; }

    /// <summary>What the owner does, as the head says: acquiring or active.</summary>
    [Id(1)] public required string State { get; init; }

    /// <summary>The head's counter of owners.</summary>
    [Id(2)] public required long Epoch { get; init; }

    /// <summary>The owner's cluster.</summary>
    [Id(3)] public required string Cluster { get; init; }

    /// <summary>The owner's silo.</summary>
    [Id(4)] public required string Silo { get; init; }

    /// <summary>Seconds since it was last renewed, by the bucket's clock.</summary>
    [Id(5)] public required double AgeSeconds { get; init; }

    /// <summary>Seconds until anyone may take the organization; 0 when it has run out.</summary>
    [Id(6)] public required double ExpiresInSeconds { get; init; }

    /// <summary>Whether it has run out.</summary>
    [Id(7)] public required bool Expired { get; init; }
}

/// <summary>A page of locks, by organization.</summary>
/// <param name="Items">The locks; there may be fewer than asked for although more follow.</param>
/// <param name="NextCursor">What the next page is asked for with; null after the last.</param>
[GenerateSerializer, Immutable, Alias("silo.LockPage")]
public sealed record LockPage([property: Id(0)] IReadOnlyList<LockStatus> Items, [property: Id(1)] string? NextCursor);
