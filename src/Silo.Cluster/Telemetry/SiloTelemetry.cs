using System.Diagnostics.Metrics;
using Silo.Cluster.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Exports;
using Silo.Storage.Imports;
using Silo.Storage.Telemetry;
using Silo.Telemetry;

namespace Silo.Cluster.Telemetry;

/// <summary>Metrics, spans and logs of a silo.</summary>
internal static class SiloTelemetry
{
    /// <summary>Adds metrics, and with a collector spans and logs.</summary>
    public static void AddSiloTelemetry(this IHostApplicationBuilder builder)
    {
        builder.AddTelemetry(tracing => tracing.AddSource(TracedCall.SourceName, SiloActivities.Name));
        builder.Services.AddHostedService<CountsFromTheStart>();
    }

    /// <summary>Has everything made that counts, so that each count is there with 0 before anything happens.</summary>
    private sealed class CountsFromTheStart : IHostedService
    {
        public CountsFromTheStart(OrgDatabaseOpening opening, ImportIntake intake, DatabaseExports exports, ActiveDatabases active, IMeterFactory meters) =>
            _ = (opening, intake, exports, new ActiveDatabaseMetrics(meters, active)); // instruments live as long as their meter

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
