namespace Silo.Storage.Turso;

/// <summary>
/// Where a database on Turso is: <c>libsql://</c> (TLS, unless it ends with <c>?tls=0</c>), <c>https://</c> or <c>http://</c>. Of
/// <c>wss://</c> and <c>ws://</c> the same place is reached by HTTP. It never holds a user, a password or a token.
/// </summary>
public sealed class TursoAddress
{
    private const string Forms = "Give it as libsql://, https:// or http:// with a host.";

    private TursoAddress(Uri url) => Url = url;

    /// <summary>Where requests go: <c>http</c> or <c>https</c>, ending with a slash.</summary>
    internal Uri Url { get; }

    /// <summary>Reads an address.</summary>
    /// <exception cref="TursoException"><see cref="TursoFailure.Address"/>. Its message repeats nothing that could be secret.</exception>
    public static TursoAddress Parse(string? text)
    {
        if (!Uri.TryCreate(text?.Trim(), UriKind.Absolute, out var url)) throw Wrong("is no address", Forms);
        if (url.UserInfo.Length > 0) throw Wrong("holds a user or a password", TursoException.TokenRemedy);
        if (url.Fragment.Length > 0) throw Wrong("has a part after '#'", Forms);
        bool? tls = url.Scheme switch
        {
            "libsql" => null,
            "https" or "wss" => true,
            "http" or "ws" => false,
            _ => throw Wrong($"begins with '{url.Scheme}:', which is not served over a network", Forms),
        };
        if (url.Host.Length == 0) throw Wrong("has no host", Forms);
        var asked = Tls(url.Query);
        if (asked is not null && tls is not null && asked != tls) throw Wrong($"begins with '{url.Scheme}:' and says the opposite with 'tls='", Forms);

        var path = url.AbsolutePath;
        return new TursoAddress(new UriBuilder
        {
            Scheme = tls ?? asked ?? true ? "https" : "http",
            Host = url.IdnHost,
            Port = url.IsDefaultPort ? -1 : url.Port,
            Path = path.EndsWith('/') ? path : path + "/",
        }.Uri);
    }

    /// <summary>The address; it holds no secret.</summary>
    public override string ToString() => Url.GetLeftPart(UriPartial.Path).TrimEnd('/');

    /// <summary>Where a server says that a stream goes on; it must be as safe as where the stream began.</summary>
    internal Uri Sibling(string baseUrl)
    {
        if (Uri.TryCreate(baseUrl, UriKind.Absolute, out var url) && url is { UserInfo: "", Host.Length: > 0 }
            && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && Url.Scheme == Uri.UriSchemeHttp)))
            return url.AbsolutePath.EndsWith('/') ? url : new UriBuilder(url) { Path = url.AbsolutePath + "/" }.Uri;
        throw new FormatException("it sends the stream to an address that is no http address, or a less safe one");
    }

    private static bool? Tls(string query)
    {
        bool? tls = null;
        foreach (var part in query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            tls = part switch
            {
                "tls=0" => false,
                "tls=1" => true,
                _ => throw Wrong("has something in its query besides 'tls=0' or 'tls=1'", TursoException.TokenRemedy),
            };
        }
        return tls;
    }

    private static TursoException Wrong(string what, string remedy) =>
        new(TursoFailure.Address, $"Cannot use the address of a Turso database: it {what}. {remedy}");
}
