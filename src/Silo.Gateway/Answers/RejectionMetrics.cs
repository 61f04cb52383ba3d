using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Silo.Gateway.Answers;

/// <summary>How many requests were refused, by the code that the caller was told. Every code is there from the start, with 0.</summary>
internal sealed class RejectionMetrics
{
    private readonly ConcurrentDictionary<string, long> _counts = new(ProblemType.All.Select(type => KeyValuePair.Create(type.Code, 0L)), StringComparer.Ordinal);

    public RejectionMetrics(IMeterFactory meters) => meters.Create("Silo").CreateObservableCounter(
        "silo.request.rejections",
        () => _counts.Select(entry => new Measurement<long>(entry.Value, new KeyValuePair<string, object?>("error.type", entry.Key))),
        "{request}", "Requests that were answered with a problem, by its code.");

    /// <summary>A request was answered with a problem. There are as many labels as codes in the table of problems.</summary>
    public void Rejected(ProblemType type) => _counts.AddOrUpdate(type.Code, 1, static (_, count) => count + 1);
}
