namespace Silo.Benchmarks;

/// <summary>What the command line asks for; null where each benchmark has a default of its own.</summary>
internal sealed record BenchmarkSettings
{
    /// <summary>Organizations: 20 for cold starts, 100 for warm requests, 300 for memory and the admin page.</summary>
    public int? Organizations { get; init; }

    /// <summary>Contacts that each organization begins with.</summary>
    public int Contacts { get; init; } = 1_000;

    /// <summary>Rounds: each organization once per round when cold, floor and Silo once per round when warm, each host started once per round of telemetry.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>How the names of the warm measurements begin that are wanted; empty for all.</summary>
    public string Only { get; init; } = "";

    /// <summary>Seconds of one warm measurement.</summary>
    public int Seconds { get; init; } = 5;

    /// <summary>Connections at saturation.</summary>
    public int Connections { get; init; } = 32;

    /// <summary>Latency added to every bucket request in the second pass of cold starts (0 for no such pass) and for replicated writes.</summary>
    public int LatencyMs { get; init; } = 40;

    /// <summary>Organizations written once a second in the memory benchmark.</summary>
    public int Written { get; init; } = 100;

    /// <summary>Leaves the floor out.</summary>
    public bool WithoutFloor { get; init; }

    /// <summary>A folder that keeps the seeded data for the next run; null for one that is removed.</summary>
    public DirectoryInfo? Data { get; init; }

    /// <summary>Where a JSON line per measurement goes.</summary>
    public FileInfo? Json { get; init; }

    /// <summary>Settings of the standalone host, <c>Section:Key=value</c>.</summary>
    public IReadOnlyList<string> HostSettings { get; init; } = [];

    /// <summary>Environment variables of both servers, <c>NAME=value</c>.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];
}
