using Microsoft.Extensions.Configuration.Memory;
using Silo.Gateway.Admin;
using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;
using Silo.Gateway.Docs;
using Silo.Gateway.Health;
using Silo.Gateway.Imports;
using Silo.Gateway.Limits;
using Silo.Gateway.Operators;
using Silo.Gateway.Telemetry;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;

namespace Silo.Gateway;

/// <summary>The HTTP side of Silo, in a process of its own or in that of a silo.</summary>
public static class SiloGateway
{
    // Under every other source, so that any setting wins. Hosting.Diagnostics logs each request and, while it logs anything at all,
    // gives each an Activity that nobody collects (1.3 us and 840 bytes of 7.6 us); RequestTraces makes those that somebody does.
    private static readonly Dictionary<string, string?> LogLevels = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
        ["Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics"] = "None",
        ["Logging:LogLevel:Orleans"] = "Warning",
        // Why a start failed is said once, in a sentence; the host would add a stack trace.
        ["Logging:LogLevel:Microsoft.Extensions.Hosting.Internal.Host"] = "Critical",
    };

    /// <summary>Adds what the gateway needs, except for the way to its cluster.</summary>
    public static IHostApplicationBuilder AddSiloGateway(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = LogLevels });
        builder.Services.AddBearerTokens(builder.Configuration);
        builder.Services.AddRequestLimits(builder.Configuration);
        builder.Services.AddGatewayJson();
        builder.AddGatewayTelemetry();
        builder.Services.AddApiDocument();
        builder.Services.AddSingleton<SiloGrains>();
        builder.Services.AddSingleton<LostCalls>();
        builder.Services.AddSingleton<PatientCalls>();
        // The files of imports go to the bucket from here; nothing else of it is touched.
        builder.Services.AddGcsBucket(builder.Configuration);
        builder.Services.AddStagedImports(builder.Configuration);
        return builder;
    }

    /// <summary>Maps every call, in the order in which a request meets the steps.</summary>
    public static WebApplication MapSiloGateway(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseRequestTraces();              // whether it is traced
        app.UseForwardedSource();            // who sent it, if a proxy that is trusted stands between
        app.UseMiddleware<FailureAnswers>(); // whatever goes wrong below becomes problem+json
        app.UseRouting();                    // which call it is
        app.UseAuthentication();             // who is calling
        app.UseAuthorization();              // whether they may
        app.UseRateLimiter();                // whether there is room
        app.UseMiddleware<OperatorAudit>();  // what an operator is about to do
        ContactEndpoints.Map(app);
        ImportEndpoints.Map(app);
        OrganizationEndpoints.Map(app);
        RestoreEndpoints.Map(app);
        ExportEndpoints.Map(app);
        MigrationEndpoints.Map(app);
        DatabaseEndpoints.Map(app);
        LockEndpoints.Map(app);
        OperatorAudit.Map(app);
        HealthEndpoints.Map(app);
        app.MapMetrics();
        OrleansDashboard.Map(app);
        app.MapAdminPage();
        app.MapDocs();
        return app;
    }
}
