using System.Net;
using Microsoft.AspNetCore.Http;

namespace Silo.Tests.Storage.Migration;

/// <summary>A server between us and the real one, which answers in its place or breaks off its answers as a test says.</summary>
internal sealed class FaultySqld(Uri real) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private readonly Queue<(int Status, int AfterBytes)> _faults = new();
    private readonly Lock _lock = new();

    /// <summary>How many faults have not happened yet.</summary>
    public int Left
    {
        get
        {
            lock (_lock) return _faults.Count;
        }
    }

    /// <summary>The next cursors are answered with a status.</summary>
    public void Answer(HttpStatusCode status, int times) => Add((int)status, 0, times);

    /// <summary>The answers to the next cursors end in their middle, as if the connection had been cut.</summary>
    public void Cut(int afterBytes, int times) => Add(0, afterBytes, times);

    /// <summary>Passes requests on, but for the faults.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        var isCursor = context.Request.Path.Value!.EndsWith("cursor", StringComparison.Ordinal);
        (int Status, int AfterBytes) fault = default;
        lock (_lock)
        {
            if (isCursor) _faults.TryDequeue(out fault);
        }
        if (fault.Status != 0)
        {
            context.Response.StatusCode = fault.Status;
            return;
        }
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri($"http://127.0.0.1:{real.Port}{context.Request.Path}"))
        {
            Headers = { Host = real.Authority },
            Content = context.Request.Method == "GET" ? null : new StreamContent(context.Request.Body) { Headers = { ContentType = new("application/json") } },
        };
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        var body = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        var buffer = new byte[512];
        for (int read, sent = 0; (read = await body.ReadAsync(buffer, context.RequestAborted)) > 0; sent += read)
        {
            if (fault.AfterBytes > 0 && sent >= fault.AfterBytes)
            {
                context.Abort();
                return;
            }
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
        }
    }

    public void Dispose() => _http.Dispose();

    private void Add(int status, int afterBytes, int times)
    {
        lock (_lock)
        {
            for (; times > 0; times--) _faults.Enqueue((status, afterBytes));
        }
    }
}
