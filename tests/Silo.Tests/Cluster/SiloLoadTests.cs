using Silo.Cluster.Placement;

namespace Silo.Tests.Cluster;

public sealed class SiloLoadTests
{
    private static readonly SiloLoad Idle = new(Databases: 0, MaxDatabases: 100, MemoryUse: 0.3, MaxMemoryUse: 0.9, CpuUse: 0.1);

    [Fact]
    public void Cost_OfMoreDatabases_IsHigher() => Assert.True(Idle.Cost < Idle.With(1).Cost);

    [Fact]
    public void Cost_CountsAtTheSilosOwnScale() => Assert.True((Idle with { Databases = 50, MaxDatabases = 1000 }).Cost < (Idle with { Databases = 20 }).Cost);

    [Fact]
    public void Cost_OfTightMemory_IsMoreThanThatOfAnyNumberThatFits() =>
        Assert.True((Idle with { MemoryUse = 0.95 }).Cost > (Idle with { Databases = 99 }).Cost);

    [Fact]
    public void Cost_OfAFullSilo_IsTheHighest() =>
        Assert.True((Idle with { Databases = 100 }).Cost > (Idle with { Databases = 99, MemoryUse = 0.95, CpuUse = 1 }).Cost);

    [Fact]
    public void Cost_OfABusyProcessor_CountsOnlyNearItsEnd()
    {
        Assert.Equal(Idle.Cost, (Idle with { CpuUse = 0.7 }).Cost);
        Assert.True((Idle with { CpuUse = 1 }).Cost > Idle.With(10).Cost);
    }
}
