using Scalar.AspNetCore;

namespace Silo.Gateway.Docs;

/// <summary>The browsable documentation at <c>/docs</c>; its script comes from this process and nothing comes from elsewhere.</summary>
internal static class DocsPage
{
    // What the page's own settings promise, the browser enforces: no script, font, image or request to another origin.
    private const string Policy =
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        + "font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'";

    public static void MapDocs(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json");
        app.MapScalarApiReference("/docs", page => page
                .WithTitle("Silo")
                .WithOpenApiRoutePattern("/openapi/{documentName}.json")
                .AddPreferredSecuritySchemes("bearer")
                .DisableDefaultFonts()
                .DisableTelemetry()
                .DisableAgent()
                .DisableMcp()
                .HideDeveloperTools())
            .AddEndpointFilter(async (context, next) =>
            {
                context.HttpContext.Response.Headers.ContentSecurityPolicy = Policy;
                return await next(context);
            });
    }
}
