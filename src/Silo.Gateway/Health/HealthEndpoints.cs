using Silo.Gateway.Clustering;

namespace Silo.Gateway.Health;

/// <summary>Whether this process lives, and whether it can serve: for an orchestrator, so without a token.</summary>
internal static class HealthEndpoints
{
    private static readonly TimeSpan CatalogTimeout = TimeSpan.FromSeconds(2);

    public static void Map(IEndpointRouteBuilder app)
    {
        var health = app.MapGroup("/health").DisableRateLimiting().WithTags("Health");
        health.MapGet("/live", () => TypedResults.Ok(new HealthAnswer("live"))).WithName("Live");
        health.MapGet("/ready", Ready).WithName("Ready")
            .Produces<HealthAnswer>().Produces<HealthAnswer>(StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>Ready when a silo can reach its catalog.</summary>
    private static async Task<IResult> Ready(SiloGrains grains, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(CatalogTimeout);
        try
        {
            await grains.Catalog.CheckHealth(timeout.Token).WaitAsync(timeout.Token);
            return TypedResults.Ok(new HealthAnswer("ready"));
        }
        // Whatever the reason is, the answer to the orchestrator is the same.
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return TypedResults.Json(new HealthAnswer("unavailable"), statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}

/// <summary>The body of a health answer.</summary>
internal sealed record HealthAnswer(string Status);
