namespace Silo.Benchmarks.Load;

/// <summary>Samples in milliseconds, sorted; the percentiles are exact.</summary>
internal sealed class Latencies
{
    private readonly double[] _sorted;

    public Latencies(IEnumerable<double> samples)
    {
        _sorted = [.. samples];
        Array.Sort(_sorted);
    }

    public int Count => _sorted.Length;

    public double Max => _sorted.Length == 0 ? 0 : _sorted[^1];

    public double Mean => _sorted.Length == 0 ? 0 : _sorted.Average();

    public double Median => Percentile(50);

    /// <summary>The smallest sample that at least so many percent of all do not exceed (nearest rank).</summary>
    public double Percentile(double percent) =>
        _sorted.Length == 0 ? 0 : _sorted[Math.Clamp((int)Math.Ceiling(percent / 100 * _sorted.Length) - 1, 0, _sorted.Length - 1)];
}
