namespace Silo.Cluster.Placement;

/// <summary>What a silo carries, as it says itself.</summary>
/// <param name="Databases">Open databases and those that are being opened; each has a Litestream process.</param>
/// <param name="MaxDatabases">How many it may have (<c>Database:MaxActive</c>).</param>
/// <param name="MemoryUse">The used share of the memory that it and its children may have, 0 to 1.</param>
/// <param name="MaxMemoryUse">From which share on it puts databases away for new ones (<c>Database:MaxMemoryUse</c>).</param>
/// <param name="CpuUse">The used share of its machine's processors, 0 to 1.</param>
/// <param name="IsCutOff">Whether the bucket does not answer it.</param>
/// <param name="ReachesBucket">Whether the bucket has just answered it. A silo that asked nothing knows neither this nor that it is cut off.</param>
[GenerateSerializer, Immutable, Alias("silo.SiloLoad")]
internal readonly record struct SiloLoad(
    [property: Id(0)] int Databases, [property: Id(1)] int MaxDatabases, [property: Id(2)] double MemoryUse, [property: Id(3)] double MaxMemoryUse,
    [property: Id(4)] double CpuUse, [property: Id(5)] bool IsCutOff = false, [property: Id(6)] bool ReachesBucket = false)
{
    /// <summary>
    /// Who has the lowest gets the next database. A database costs memory, a process and, while it is written to, some CPU: so their
    /// number counts first, at the silo's own scale, and the machine's state where it is tight.
    /// </summary>
    public double Cost
    {
        get
        {
            var full = Databases >= MaxDatabases ? 10.0 : (double)Databases / MaxDatabases;
            var memory = MemoryUse >= MaxMemoryUse ? 5.0 : 0;
            // Below that, a busy machine is one that does its work.
            var cpu = Math.Max(0, CpuUse - 0.8);
            return full + memory + cpu + (IsCutOff ? 20.0 : 0);
        }
    }

    /// <summary>The same silo with so many more databases.</summary>
    public SiloLoad With(int more) => this with { Databases = Databases + more };
}
