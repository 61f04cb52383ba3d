using System.Diagnostics;
using System.Runtime.CompilerServices;
using Silo.Contracts.Databases;

namespace Silo.Cluster.Telemetry;

/// <summary>
/// The span of a grain call that a traced request has made. Orleans' AddActivityPropagation would wrap every call in two filters, traced
/// or not, which costs a fifth of a read; this looks for a note that only traced requests carry.
/// </summary>
internal static class TracedCall
{
    public const string SourceName = "Silo.Cluster";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Begins it, to be ended with the call; null when the call is not traced.</summary>
    public static Activity? Begin([CallerMemberName] string method = "") =>
        RequestContext.Get(TraceNote.Key) is string parent && Source.HasListeners() && ActivityContext.TryParse(parent, null, isRemote: true, out var context)
            ? Source.StartActivity($"org-database/{method}", ActivityKind.Server, context)?
                .SetTag("rpc.system", "orleans").SetTag("rpc.service", "org-database").SetTag("rpc.method", method)
            : null;
}
