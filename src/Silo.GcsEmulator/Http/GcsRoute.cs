using System.Text;

namespace Silo.GcsEmulator.Http;

/// <summary>Where a request goes. In the XML API reads carry everything in headers, and errors are XML.</summary>
internal sealed record GcsRoute(
    RequestKind Kind, string Bucket = "", string Object = "", string TargetBucket = "", string TargetObject = "", bool IsXml = false)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// Reads the target as the client sent it: object names are one percent-encoded segment, and the server's own decoding would
    /// leave <c>%2F</c> and fold <c>..</c>.
    /// </summary>
    public static GcsRoute Parse(string method, string rawTarget, Func<string, string?> query)
    {
        var path = PathOf(rawTarget);
        var segments = path.TrimStart('/').Split('/');
        return segments switch
        {
            ["_emulator", ..] => new(RequestKind.Control, Object: path),
            ["storage", "v1", "b"] => new(OnBuckets(method)),
            ["storage", "v1", "b", var b] => new(OnBucket(method), Decode(b)),
            ["storage", "v1", "b", var b, "o"] => new(method == "GET" ? RequestKind.ListObjects : throw GcsRefusal.NotAllowed(method), Decode(b)),
            ["download", "storage", "v1", "b", var b, "o", var o] => new(OnObject(method, "media"), Decode(b), Decode(o)),
            ["storage", "v1", "b", var b, "o", var o] => new(OnObject(method, query("alt")), Decode(b), Decode(o)),
            ["storage", "v1", "b", var b, "o", var o, var verb, "b", var b2, "o", var o2] =>
                new(OnCopy(method, verb, path), Decode(b), Decode(o), Decode(b2), Decode(o2)),
            ["upload", "storage", "v1", "b", var b, "o"] => new(OnUpload(method, query), Decode(b), query("name") ?? ""),
            [var b, _, ..] when b is not ("storage" or "upload" or "download" or "batch" or "") => Xml(method, path, b),
            _ => throw GcsRefusal.NoSuchPath(path),
        };
    }

    private static GcsRoute Xml(string method, string path, string bucket)
    {
        if (method is not ("GET" or "HEAD")) throw GcsRefusal.NotAllowed(method);
        // Everything behind the bucket is the name, slashes encoded or not.
        var name = path.TrimStart('/')[(bucket.Length + 1)..];
        return new(RequestKind.GetMedia, Decode(bucket), Decode(name), IsXml: true);
    }

    private static RequestKind OnBuckets(string method) => method switch
    {
        "GET" => RequestKind.ListBuckets,
        "POST" => RequestKind.CreateBucket,
        _ => throw GcsRefusal.NotAllowed(method),
    };

    private static RequestKind OnBucket(string method) => method switch
    {
        "GET" => RequestKind.GetBucket,
        "DELETE" => RequestKind.DeleteBucket,
        _ => throw GcsRefusal.NotAllowed(method),
    };

    private static RequestKind OnObject(string method, string? alt) => method switch
    {
        "GET" or "HEAD" => alt == "media" ? RequestKind.GetMedia : RequestKind.GetObject,
        "DELETE" => RequestKind.DeleteObject,
        "PATCH" => RequestKind.PatchObject,
        "PUT" => RequestKind.UpdateObject,
        _ => throw GcsRefusal.NotAllowed(method),
    };

    private static RequestKind OnCopy(string method, string verb, string path) => (method, verb) switch
    {
        ("POST", "copyTo") => RequestKind.CopyObject,
        ("POST", "rewriteTo") => RequestKind.RewriteObject,
        _ => throw GcsRefusal.NoSuchPath(path),
    };

    private static RequestKind OnUpload(string method, Func<string, string?> query) => (method, query("upload_id")) switch
    {
        ("DELETE", { }) => RequestKind.CancelUpload,
        ("PUT" or "POST", { }) => RequestKind.ContinueUpload,
        ("POST", null) => query("uploadType") == "resumable" ? RequestKind.StartUpload : RequestKind.InsertObject,
        _ => throw GcsRefusal.NotAllowed(method),
    };

    /// <summary>The path, without the query and without the host that a proxy request names.</summary>
    private static string PathOf(string rawTarget)
    {
        var end = rawTarget.IndexOf('?', StringComparison.Ordinal);
        var path = end < 0 ? rawTarget : rawTarget[..end];
        if (path.StartsWith('/')) return path;
        return Uri.TryCreate(path, UriKind.Absolute, out var absolute) ? absolute.AbsolutePath : throw GcsRefusal.NoSuchPath(path);
    }

    private static string Decode(string segment)
    {
        if (!segment.Contains('%', StringComparison.Ordinal) && Ascii.IsValid(segment)) return segment;
        var bytes = new byte[StrictUtf8.GetMaxByteCount(segment.Length)];
        var length = 0;
        try
        {
            for (var at = 0; at < segment.Length; at++)
            {
                if (segment[at] == '%' && at + 2 < segment.Length && char.IsAsciiHexDigit(segment[at + 1]) && char.IsAsciiHexDigit(segment[at + 2]))
                {
                    bytes[length++] = Convert.ToByte(segment.Substring(at + 1, 2), 16);
                    at += 2;
                }
                else
                {
                    length += StrictUtf8.GetBytes(segment, at, 1, bytes, length);
                }
            }
            return StrictUtf8.GetString(bytes, 0, length);
        }
        catch (ArgumentException)
        {
            throw GcsRefusal.Invalid("The name is not UTF-8.");
        }
    }
}
