using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;
using Silo.Gateway.Docs;
using Silo.Gateway.Health;
using Silo.Gateway.Limits;
using Silo.Gateway.Operators;
using Silo.Gateway.Telemetry;

namespace Silo.Gateway;

/// <summary>The HTTP side of Silo, in a process of its own or in that of a silo.</summary>
public static class SiloGateway
{
    /// <summary>Adds what the gateway needs, except for the way to its cluster.</summary>
    public static IHostApplicationBuilder AddSiloGateway(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddBearerTokens(builder.Configuration);
        builder.Services.AddRequestLimits(builder.Configuration);
        builder.Services.AddGatewayJson();
        builder.Services.AddGatewayTelemetry(builder.Configuration);
        builder.Services.AddApiDocument();
        builder.Services.AddSingleton<SiloGrains>();
        return builder;
    }

    /// <summary>Maps every call, in the order in which a request meets the steps.</summary>
    public static WebApplication MapSiloGateway(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseMiddleware<FailureAnswers>(); // whatever goes wrong below becomes problem+json
        app.UseRouting();                    // which call it is
        app.UseAuthentication();             // who is calling
        app.UseAuthorization();              // whether they may
        app.UseRateLimiter();                // whether there is room
        ContactEndpoints.Map(app);
        OrganizationEndpoints.Map(app);
        DatabaseEndpoints.Map(app);
        HealthEndpoints.Map(app);
        app.MapMetrics();
        app.MapDocs();
        return app;
    }
}
