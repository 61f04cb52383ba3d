using Silo.Benchmarks.Load;

namespace Silo.Tests.Benchmarks;

public sealed class LatenciesTests
{
    [Fact]
    public void Percentile_OfSamples_IsOneOfThem()
    {
        var latencies = new Latencies(Enumerable.Range(1, 200).Select(i => (double)i).Reverse());

        Assert.Equal((100, 198, 200, 1), (latencies.Median, latencies.Percentile(99), latencies.Max, latencies.Percentile(0)));
        Assert.Equal(7, new Latencies([7]).Percentile(99));
        Assert.Equal(0, new Latencies([]).Median);
    }
}
