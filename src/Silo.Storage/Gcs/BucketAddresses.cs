using System.Globalization;
using System.Text;

namespace Silo.Storage.Gcs;

/// <summary>Where in the JSON API each call on one bucket goes.</summary>
internal sealed class BucketAddresses(Uri? emulatorHost, string bucketName)
{
    private const int MaxNameBytes = 1024;
    private static readonly Uri Google = new("https://storage.googleapis.com");

    private readonly Uri _host = emulatorHost ?? Google;
    private readonly string _objects = $"/storage/v1/b/{bucketName}/o";
    private readonly string _uploads = $"/upload/storage/v1/b/{bucketName}/o";

    public Uri Buckets => new(_host, "/storage/v1/b?project=silo");

    public Uri Media(string name, long? generation = null) => new(_host, $"{Path(name)}?alt=media{Number("generation", generation)}");

    public Uri Metadata(string name, long? generation = null) =>
        new(_host, $"{Path(name)}?fields={ObjectResource.Fields}{Number("generation", generation)}");

    public Uri Delete(string name, long? ifGenerationMatch) =>
        new(_host, Path(name) + (ifGenerationMatch is null ? "" : $"?{Number("ifGenerationMatch", ifGenerationMatch)[1..]}"));

    public Uri Upload(string name, long? ifGenerationMatch) =>
        new(_host, $"{_uploads}?uploadType=multipart&name={Escaped(name)}&fields={ObjectResource.Fields}{Number("ifGenerationMatch", ifGenerationMatch)}");

    public Uri StartUpload(string name) => new(_host, $"{_uploads}?uploadType=resumable&name={Escaped(name)}&fields={ObjectResource.Fields}");

    public Uri List(string prefix, string? delimiter, string? startOffset, int pageSize, string? pageToken, string fields = ObjectResource.Fields) => new(_host, string.Concat(
        $"{_objects}?maxResults={pageSize.ToString(CultureInfo.InvariantCulture)}&fields=items({fields}),prefixes,nextPageToken",
        Text("prefix", prefix), Text("delimiter", delimiter), Text("startOffset", startOffset) + Text("pageToken", pageToken)));

    private string Path(string name) => $"{_objects}/{Escaped(name)}";

    private static string Escaped(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name is "." or ".." || name.AsSpan().ContainsAny('\r', '\n') || Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
            throw new ArgumentException($"An object name is 1 to {MaxNameBytes} bytes of UTF-8 without line ends, and not '.' or '..'.", nameof(name));
        return Uri.EscapeDataString(name);
    }

    private static string Text(string key, string? value) => string.IsNullOrEmpty(value) ? "" : $"&{key}={Uri.EscapeDataString(value)}";

    private static string Number(string key, long? value) => value is null ? "" : string.Create(CultureInfo.InvariantCulture, $"&{key}={value}");
}
