using System.Diagnostics.Metrics;
using Silo.Contracts.Migration;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Migration;

/// <summary>What came of migrations, verifications and rollbacks.</summary>
/// <param name="meters">Makes the instruments.</param>
internal sealed class MigrationMetrics(IMeterFactory meters)
{
    private readonly EventCounts _migrations = new(meters.CreateSilo(), "silo.migrations", "{migration}", "Migrations, verifications and rollbacks that have ended.", "outcome", "completed", "failed");

    /// <summary>One is over.</summary>
    public void Ended(MigrationStatus status) => _migrations.Add(status.Problem is null ? "completed" : "failed");
}
