using Silo.Benchmarks.Hosts;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Machine;

namespace Silo.Benchmarks.Scenarios;

/// <summary>The rounds of one load on one kind of server; what counts are their medians.</summary>
internal sealed class Rounds(int connections)
{
    private readonly List<LoadResult> _results = [];
    private readonly List<double> _cpu = [];

    /// <summary>Requests per second of each round.</summary>
    public IReadOnlyList<double> Rates => [.. _results.Select(result => result.Rate)];

    /// <summary>CPU of each round, in milliseconds per 1,000 requests.</summary>
    public IReadOnlyList<double> Cpu => _cpu;

    public double Rate => Median(result => result.Rate);

    public double OtherCores { get; private set; }

    public double CpuPerThousand => new Latencies(_cpu).Median;

    public double Percentile(double percent) => Median(result => result.Latencies.Percentile(percent));

    public async Task AddAsync(ServedProcess server, IRequestSource requests, TimeSpan time, bool counts, CancellationToken cancellationToken)
    {
        var use = ProcessorUse.Of(server.Pid);
        var result = (await new ClosedLoop(server.Url, connections).RunAsync(requests, time, cancellationToken)).Checked(server.Name);
        var share = use.End();
        if (!counts) return;
        _results.Add(result);
        _cpu.Add(share.Time.TotalMilliseconds / result.Requests * 1000);
        OtherCores = Math.Max(OtherCores, share.OtherCores + share.StealCores);
    }

    private double Median(Func<LoadResult, double> value) => new Latencies(_results.Select(value)).Median;
}
