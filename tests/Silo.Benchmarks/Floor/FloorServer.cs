using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Hosting;
using Silo.Gateway;
using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;
using Silo.Gateway.Contacts;

namespace Silo.Benchmarks.Floor;

/// <summary>
/// The floor: what an engineer would write who needs neither owners nor replicas. The same statements on the same schema, the same
/// JSON, validation and token check, served by ASP.NET straight from the request's thread.
/// </summary>
internal static class FloorServer
{
    public static async Task<int> RunAsync(string data, int port, string readyFile, string[] settings, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder(settings);
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")).ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddBearerTokens(builder.Configuration);
        builder.Services.AddGatewayJson();
        using var databases = new FloorDatabases(Directory.CreateDirectory(data).FullName);
        await using var app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        MapContacts(app, databases);
        MapDatabases(app, databases);
        await app.StartAsync(cancellationToken);
        new ReadyFile { Url = ListeningAddress.Of(app), DataDirectory = data }.Write(readyFile);
        await app.WaitForShutdownAsync(cancellationToken);
        return 0;
    }

    private static void MapContacts(WebApplication app, FloorDatabases databases)
    {
        var contacts = app.MapGroup("/api/contacts").RequireAuthorization(CallerPolicies.Member);

        contacts.MapGet("", (HttpContext context, string? limit, string? cursor) =>
            JsonAnswer.Write(context.Response, Database(context).List(new ContactListQuery(PageLimit.Parse(limit), string.IsNullOrEmpty(cursor) ? null : cursor, null)).Utf8!));

        contacts.MapGet("/{id}", (HttpContext context, string id) =>
        {
            if (Database(context).Get(id).Utf8 is { } contact) return JsonAnswer.Write(context.Response, contact);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });

        contacts.MapPost("", (HttpContext context, ContactFields fields) =>
        {
            if (ContactRules.Validate(fields) is { } errors) return Results.ValidationProblem(errors).ExecuteAsync(context);
            var (id, contact) = Database(context).Insert(fields);
            context.Response.StatusCode = StatusCodes.Status201Created;
            context.Response.Headers.Location = "/api/contacts/" + id;
            return JsonAnswer.Write(context.Response, contact.Utf8!);
        });

        FloorDatabase Database(HttpContext context) => databases.Of(Caller.Of(context).Organization);
    }

    // The operator's calls that the benchmark makes between its measurements.
    private static void MapDatabases(WebApplication app, FloorDatabases databases)
    {
        var operators = app.MapGroup("/api/admin/databases").RequireAuthorization(CallerPolicies.Admin);
        operators.MapGet("/{id}", (string id) => databases.IsOpen(OrganizationId.Parse(id)) ? Results.Text("""{"generation":"none","replicationLagSeconds":0,"activationMs":{}}""", "application/json") : Results.NotFound());
        operators.MapPost("/{id}/deactivate", (string id) => databases.Close(OrganizationId.Parse(id)) ? Results.Accepted() : Results.NotFound());
    }
}
