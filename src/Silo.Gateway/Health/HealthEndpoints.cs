using Silo.Gateway.Clustering;

namespace Silo.Gateway.Health;

/// <summary>Whether this process lives, and whether it can serve: for an orchestrator, so without a token.</summary>
internal static class HealthEndpoints
{
    private static readonly TimeSpan SiloTimeout = TimeSpan.FromSeconds(2);

    public static void Map(IEndpointRouteBuilder app)
    {
        var health = app.MapGroup("/health").DisableRateLimiting().WithTags("Health");
        health.MapGet("/live", () => TypedResults.Ok(new HealthAnswer("live"))).WithName("Live");
        health.MapGet("/ready", Ready).WithName("Ready")
            .Produces<HealthAnswer>().Produces<HealthAnswer>(StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>
    /// Ready when a silo answers, with or without its catalog: with that away, what is open is served, and a proxy must not take all
    /// gateways out for it.
    /// </summary>
    private static async Task<IResult> Ready(SiloGrains grains, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(SiloTimeout);
        try
        {
            await grains.ActiveDatabases.DeadSilos(timeout.Token).WaitAsync(timeout.Token);
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
