namespace Silo.Gateway.Authentication;

/// <summary>
/// An operator's token in a cookie: a browser that opens a page sends no <c>Authorization</c> header. The token is checked as one from
/// the header is, at every request; the cookie only carries it, and only where operators work with a browser.
/// </summary>
internal static class SessionCookie
{
    public const string Name = "silo-admin";

    /// <summary>
    /// What a request under <c>/api/admin</c> must carry beside the cookie. A page of another origin cannot add a header without asking
    /// this gateway first (CORS), and that is never allowed; so nobody else's page acts with an operator's cookie.
    /// </summary>
    public const string Header = "Silo-Admin";

    /// <summary>Where a session begins and ends; the cookie itself is nobody there, so that it cannot prolong itself.</summary>
    public const string SessionPath = "/admin/session";

    /// <summary>Browsers drop a cookie of more than 4,096 bytes without a word.</summary>
    public const int MaxTokenLength = 4_096 - 256;

    /// <summary>What the header <c>Authorization</c> would say if the browser sent one; null where the cookie does not count.</summary>
    public static string? AuthorizationOf(HttpRequest request) =>
        Counts(request) && request.Cookies[Name] is { Length: > 0 } token ? "Bearer " + token : null;

    /// <summary>Hands the token to the browser, for as long as it is good.</summary>
    public static void Set(HttpContext context, string token, DateTimeOffset expires) =>
        context.Response.Cookies.Append(Name, token, Options(context.Request, expires));

    /// <summary>Takes it back.</summary>
    public static void Remove(HttpContext context) => context.Response.Cookies.Delete(Name, Options(context.Request, null));

    private static bool Counts(HttpRequest request)
    {
        var path = request.Path;
        if (path.StartsWithSegments("/api/admin")) return request.Headers[Header] == "1";
        return path.StartsWithSegments("/dashboard") || (path.StartsWithSegments("/admin") && !path.StartsWithSegments(SessionPath));
    }

    private static CookieOptions Options(HttpRequest request, DateTimeOffset? expires) => new()
    {
        HttpOnly = true, // no script sees the token
        SameSite = SameSiteMode.Strict, // no other site's link or form sends it
        Secure = request.IsHttps,
        Path = "/",
        Expires = expires,
    };
}
