using Microsoft.Extensions.Options;
using Silo.Cluster.Databases;
using Silo.Storage.Databases;
using Silo.Storage.Usage;

namespace Silo.Cluster.Warming;

/// <summary>
/// After how long without a request a database is put away: <c>Database:IdleTimeout</c>, or with <c>WarmUp:AdaptiveIdle</c> as long as it
/// is worth waiting for the organization at this hour, between <c>WarmUp:MinIdle</c> and <c>WarmUp:MaxIdle</c>.
/// </summary>
internal sealed class IdleTimes(UsageJournal usage, IOptions<DatabaseOptions> databases, IOptions<WarmUpOptions> options, TimeProvider time)
{
    private readonly UsageForecast _forecast = options.Value.Forecast();

    /// <summary>No database has a shorter one.</summary>
    public TimeSpan Shortest { get; } = options.Value.AdaptiveIdle && options.Value.MinIdle < databases.Value.IdleTimeout ? options.Value.MinIdle : databases.Value.IdleTimeout;

    public TimeSpan Of(OrgActivation activation)
    {
        // One that nobody has used yet was opened for somebody, and what is known is of the time after a use.
        if (!options.Value.AdaptiveIdle || !activation.IsUsed || usage.Find(activation.Organization) is not { } profile) return databases.Value.IdleTimeout;
        return _forecast.Wait(profile, time.GetUtcNow() - activation.Idle) ?? databases.Value.IdleTimeout;
    }
}
