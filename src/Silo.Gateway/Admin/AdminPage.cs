using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Silo.Gateway.Authentication;

namespace Silo.Gateway.Admin;

/// <summary>
/// The page of database health at <c>/admin</c>: a shell that anybody may load, since there is nothing in it, and what belongs to it. What
/// it shows comes from the admin API. All of it is in this assembly, so a gateway needs no files beside it and no build of a front end.
/// </summary>
internal static class AdminPage
{
    // No script, style, request or frame of another origin, none within the page, and no text that is taken for HTML.
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private const string Resources = "admin/";
    private const string Shell = "index.html";

    private static readonly FrozenDictionary<string, string> ContentTypes = new Dictionary<string, string>
    {
        [".css"] = "text/css; charset=utf-8",
        [".html"] = "text/html; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    }.ToFrozenDictionary();

    public static void MapAdminPage(this WebApplication app)
    {
        var files = Read().ToFrozenDictionary(file => file.Name);
        var shell = Encoding.UTF8.GetString(files[Shell].Content);
        app.MapGet("/admin", (HttpContext context, TimeProvider time) => Page(context, shell, time)).ExcludeFromDescription();
        app.MapGet("/admin/page/{name}", (HttpContext context, string name) => Part(context, files, name)).ExcludeFromDescription();
        AdminSession.Map(app);
    }

    /// <summary>Says who has signed in and for how long, so that the page need not try what would be refused.</summary>
    private static ContentHttpResult Page(HttpContext context, string shell, TimeProvider time)
    {
        SetHeaders(context.Response, "no-store");
        var caller = context.User is Caller { IsAdmin: true } admin ? admin : null;
        var left = caller is null ? TimeSpan.Zero : caller.Expires - time.GetUtcNow();
        var page = shell
            .Replace("{user}", WebUtility.HtmlEncode(caller?.User ?? ""), StringComparison.Ordinal)
            .Replace("{expires-in}", Math.Max(0, Math.Floor(left.TotalSeconds)).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        return TypedResults.Text(page, ContentTypes[".html"]);
    }

    private static IResult Part(HttpContext context, FrozenDictionary<string, PageFile> files, string name)
    {
        if (name == Shell || !files.TryGetValue(name, out var file)) return TypedResults.NotFound();
        // Asked for each time, and answered with 304: after an upgrade no browser mixes old and new.
        SetHeaders(context.Response, "no-cache");
        return TypedResults.Bytes(file.Content, ContentTypes[Path.GetExtension(name)], entityTag: file.Tag);
    }

    private static void SetHeaders(HttpResponse response, string cacheControl)
    {
        var headers = response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.CacheControl = cacheControl;
        headers.XFrameOptions = "DENY"; // for what does not know frame-ancestors
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
    }

    private static IEnumerable<PageFile> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Resources, StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(resource)!;
            var content = new byte[stream.Length];
            stream.ReadExactly(content);
            yield return new PageFile(resource[Resources.Length..], content, new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..16]}\""));
        }
    }

    private sealed record PageFile(string Name, byte[] Content, EntityTagHeaderValue Tag);
}
