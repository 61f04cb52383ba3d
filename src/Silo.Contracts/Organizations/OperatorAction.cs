namespace Silo.Contracts.Organizations;

/// <summary>Something that an operator did, or tried, over the admin API.</summary>
[GenerateSerializer, Immutable, Alias("silo.OperatorAction")]
public sealed record OperatorAction
{
    /// <summary>Its id, a UUIDv7 (RFC 9562), so in the order of time.</summary>
    [Id(0)] public required string Id { get; init; }

    /// <summary>When it was asked for.</summary>
    [Id(1)] public required DateTimeOffset At { get; init; }

    /// <summary>Who (<c>sub</c> of the token).</summary>
    [Id(2)] public string? Operator { get; init; }

    /// <summary>From which address.</summary>
    [Id(3)] public string? Source { get; init; }

    /// <summary>What: method and path.</summary>
    [Id(4)] public required string Action { get; init; }

    /// <summary>With which organization; null when it was about none.</summary>
    [Id(5)] public string? Organization { get; init; }

    /// <summary>The trace of the request.</summary>
    [Id(6)] public string? TraceId { get; init; }

    /// <summary>The HTTP status of the answer; null when there was none, or none yet.</summary>
    [Id(7)] public int? Status { get; init; }
}

/// <summary>A page of what operators did, newest first.</summary>
/// <param name="Items">The actions.</param>
/// <param name="NextCursor">Where the next page begins; null after the last.</param>
[GenerateSerializer, Immutable, Alias("silo.OperatorActionPage")]
public sealed record OperatorActionPage([property: Id(0)] IReadOnlyList<OperatorAction> Items, [property: Id(1)] string? NextCursor);
