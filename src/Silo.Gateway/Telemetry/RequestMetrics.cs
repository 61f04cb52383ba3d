using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Silo.Gateway.Answers;

namespace Silo.Gateway.Telemetry;

/// <summary>
/// How many requests are being served, and how many were refused, by the code that the caller was told (every code is there from the
/// start, with 0). ASP.NET's own count of active requests is a measurement at either end of each request, which costs a get 1 %; this is
/// asked only when somebody collects.
/// </summary>
internal sealed class RequestMetrics
{
    private readonly ConcurrentDictionary<string, long> _rejections = new(ProblemType.All.Select(type => KeyValuePair.Create(type.Code, 0L)), StringComparer.Ordinal);
    private long _active;

    public RequestMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Silo");
        meter.CreateObservableUpDownCounter("http.server.active_requests", () => Interlocked.Read(ref _active), "{request}", "Requests that are being served.");
        meter.CreateObservableCounter(
            "silo.request.rejections",
            () => _rejections.Select(entry => new Measurement<long>(entry.Value, new KeyValuePair<string, object?>("error.type", entry.Key))),
            "{request}", "Requests that were answered with a problem, by its code.");
    }

    /// <summary>A request has come.</summary>
    public void Began() => Interlocked.Increment(ref _active);

    /// <summary>A request that had come is over.</summary>
    public void Ended() => Interlocked.Decrement(ref _active);

    /// <summary>A request was answered with a problem. There are as many labels as codes in the table of problems.</summary>
    public void Rejected(ProblemType type) => _rejections.AddOrUpdate(type.Code, 1, static (_, count) => count + 1);
}
