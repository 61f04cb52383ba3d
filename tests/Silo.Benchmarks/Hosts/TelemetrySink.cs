using System.Buffers;

namespace Silo.Benchmarks.Hosts;

/// <summary>A collector that takes everything by OTLP over HTTP and keeps nothing.</summary>
internal sealed class TelemetrySink : IAsyncDisposable
{
    private readonly WebApplication _web;
    private long _bytes;

    private TelemetrySink(WebApplication web)
    {
        _web = web;
        web.MapPost("/v1/{signal}", async (HttpContext context) =>
        {
            var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
            for (int read; (read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0;) Interlocked.Add(ref _bytes, read);
            ArrayPool<byte>.Shared.Return(buffer);
            context.Response.ContentType = "application/x-protobuf";
        });
    }

    /// <summary>How much it was sent.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>What a server is told so that it sends here.</summary>
    public IEnumerable<KeyValuePair<string, string>> Environment =>
        [new("OTEL_EXPORTER_OTLP_ENDPOINT", _web.Urls.First()), new("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")];

    public static async Task<TelemetrySink> StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var sink = new TelemetrySink(builder.Build());
        await sink._web.StartAsync(cancellationToken);
        return sink;
    }

    public ValueTask DisposeAsync() => _web.DisposeAsync();
}
