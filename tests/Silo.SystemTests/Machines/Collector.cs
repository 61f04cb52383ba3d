using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Silo.SystemTests.Machines;

/// <summary>A collector of spans and logs by OTLP over HTTP, as far as stories need to know what came (opentelemetry-proto, v1).</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly WebApplication _web;
    private readonly ConcurrentQueue<Span> _spans = new();
    private readonly ConcurrentQueue<LogLine> _logs = new();

    private Collector(WebApplication web)
    {
        _web = web;
        web.MapPost("/v1/traces", context => TakeAsync(context, request =>
        {
            foreach (var resource in Message.Read(request).Of(1))
            {
                var service = resource.Of(1).SelectMany(part => part.Of(1)).Single(attribute => attribute.Text(1) == "service.name").Of(2).Single().Text(1);
                foreach (var span in resource.Of(2).SelectMany(scope => scope.Of(2))) _spans.Enqueue(new Span(service, span));
            }
        }));
        web.MapPost("/v1/logs", context => TakeAsync(context, request =>
        {
            foreach (var line in Message.Read(request).Of(1).SelectMany(resource => resource.Of(2)).SelectMany(scope => scope.Of(2))) _logs.Enqueue(new LogLine(line.Of(5).Single().Text(1), line.Hex(9)));
        }));
        web.MapPost("/v1/metrics", context => TakeAsync(context, _ => Metrics++));
    }

    public IReadOnlyCollection<Span> Spans => _spans;

    public IReadOnlyCollection<LogLine> Logs => _logs;

    /// <summary>What could not be understood of what came; null when all was.</summary>
    public string? Problem { get; private set; }

    /// <summary>How often metrics were sent.</summary>
    public int Metrics { get; private set; }

    /// <summary>What a program is told so that it sends here, everything at once.</summary>
    public (string Name, string Value)[] Environment =>
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", _web.Urls.First()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_BLRP_SCHEDULE_DELAY", "100"), ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        // A busy machine is no reason to drop what a story is about.
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
    ];

    public static async Task<Collector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var collector = new Collector(builder.Build());
        await collector._web.StartAsync(TestContext.Current.CancellationToken);
        return collector;
    }

    public ValueTask DisposeAsync() => _web.DisposeAsync();

    private async Task TakeAsync(HttpContext context, Action<byte[]> take)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        try
        {
            take(body.ToArray());
        }
        catch (Exception e)
        {
            // The boundary of the request: a sender would only drop what it sent.
            Problem ??= e.ToString();
        }
        context.Response.ContentType = "application/x-protobuf";
    }

    /// <summary>A span.</summary>
    public sealed record Span(string Service, string Trace, string Id, string Parent, string Name, IReadOnlyList<string> Links)
    {
        public Span(string service, Message span)
            : this(service, span.Hex(1), span.Hex(2), span.Hex(4), span.Text(5), [.. span.Of(13).Select(link => link.Hex(2))])
        {
        }
    }

    /// <summary>A line of a log, and the trace that it belongs to; empty when to none.</summary>
    public sealed record LogLine(string Text, string Trace);

    /// <summary>A message of Protocol Buffers, field by field.</summary>
    public sealed class Message
    {
        private readonly List<(int Field, byte[] Bytes)> _fields = [];

        public static Message Read(byte[] bytes)
        {
            var message = new Message();
            for (var at = 0; at < bytes.Length;)
            {
                var tag = Number(bytes, ref at);
                switch (tag & 7)
                {
                    case 0: Number(bytes, ref at); break;
                    case 1: at += 8; break;
                    case 5: at += 4; break;
                    default:
                        var length = (int)Number(bytes, ref at);
                        message._fields.Add(((int)(tag >> 3), bytes[at..(at + length)]));
                        at += length;
                        break;
                }
            }
            return message;
        }

        /// <summary>The messages in a field.</summary>
        public IEnumerable<Message> Of(int field) => Bytes(field).Select(Read);

        public string Text(int field) => Encoding.UTF8.GetString(Bytes(field).SingleOrDefault([]));

        public string Hex(int field) => Convert.ToHexStringLower(Bytes(field).SingleOrDefault([]));

        private IEnumerable<byte[]> Bytes(int field) => _fields.Where(found => found.Field == field).Select(found => found.Bytes);

        private static ulong Number(byte[] bytes, ref int at)
        {
            for (ulong value = 0, shift = 0; ; shift += 7)
            {
                var next = bytes[at++];
                value |= (ulong)(next & 127) << (int)shift;
                if (next < 128) return value;
            }
        }
    }
}
