using Microsoft.AspNetCore.Http.HttpResults;
using Silo.Contracts;
using Silo.Gateway.Authentication;

namespace Silo.Gateway.Admin;

/// <summary>Signing in to the pages for operators with a token, and signing out.</summary>
internal static class AdminSession
{
    private const string Scheme = "Bearer ";

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapPost(SessionCookie.SessionPath, Begin).RequireAuthorization(CallerPolicies.Admin).ExcludeFromDescription();
        // Open to anybody: who has no session, or whose session is over, ends nothing.
        app.MapDelete(SessionCookie.SessionPath, End).ExcludeFromDescription();
    }

    private static Ok<AdminSessionBody> Begin(HttpContext context, TimeProvider time)
    {
        var caller = Caller.Of(context);
        var token = context.Request.Headers.Authorization.ToString()[Scheme.Length..].Trim();
        if (token.Length > SessionCookie.MaxTokenLength)
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, $"The token has more than {SessionCookie.MaxTokenLength} characters, which a browser does not keep.");
        // The allowance for clocks (Auth:ClockSkew) lets in a token that the browser would drop at once.
        var left = caller.Expires - time.GetUtcNow();
        if (left <= TimeSpan.Zero) throw new OrganizationException(OrganizationErrorCode.Unauthenticated, "The token has just expired.");
        SessionCookie.Set(context, token, caller.Expires);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(new AdminSessionBody(caller.User, Math.Floor(left.TotalSeconds)));
    }

    private static NoContent End(HttpContext context)
    {
        SessionCookie.Remove(context);
        return TypedResults.NoContent();
    }
}

/// <summary>Who has signed in.</summary>
/// <param name="User">The token's <c>sub</c>.</param>
/// <param name="ExpiresInSeconds">From now, so that the browser's clock does not matter.</param>
internal sealed record AdminSessionBody(string? User, double ExpiresInSeconds);
