using System.Diagnostics.Metrics;

namespace Silo.Gateway.Answers;

/// <summary>How many requests were refused, by the code that the caller was told.</summary>
internal sealed class RejectionMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _rejections = meters.Create("Silo").CreateCounter<long>(
        "silo.request.rejections", "{request}", "Requests that were answered with a problem, by its code.");

    /// <summary>A request was answered with a problem. There are as many labels as rows in the table of problems.</summary>
    public void Rejected(ProblemType type) => _rejections.Add(1, new KeyValuePair<string, object?>("error.type", type.Code));
}
