using Orleans.Dashboard;
using Silo.Gateway.Authentication;

namespace Silo.Gateway.Operators;

/// <summary>Orleans' own dashboard: how many activations there are on each silo, and what their calls cost. It lists no organizations.</summary>
internal static class OrleansDashboard
{
    public static void Map(WebApplication app)
    {
        // A gateway may be given other grains than those of a cluster; then there is nothing to show.
        if (app.Services.GetService<IClusterClient>() is null) return;
        app.MapOrleansDashboard("/dashboard").RequireAuthorization(CallerPolicies.Admin).ExcludeFromDescription();
    }
}
