using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Silo.Storage.Turso;

/// <summary>One request to a server.</summary>
/// <param name="Target">Whose it is.</param>
/// <param name="Action">What it does, for messages: "run a statement".</param>
/// <param name="Url">Where it goes.</param>
/// <param name="Body">JSON; empty for a request that only looks.</param>
/// <param name="HasBaton">Whether it goes on with a stream.</param>
/// <param name="ChangesNothing">Whether it may be executed twice.</param>
internal sealed record HranaCall(HranaTarget Target, string Action, Uri Url, ReadOnlyMemory<byte> Body, bool HasBaton, bool ChangesNothing);

/// <summary>
/// Sends requests: adds the token, limits the time, tells failures apart in one place, and repeats what may be repeated.
/// <para>
/// The rule. <b>Any</b> request is repeated that certainly was not executed: there was no connection, or the server refused it at the
/// door (429, 503 with <c>Retry-After</c>). A request that <b>changes nothing and begins a stream</b> is repeated too when it was not
/// answered, or the server failed (408, 5xx). A write that may have been executed is never sent again, and neither is a request on a stream
/// that is under way. Repetitions are bounded in number, in each wait and in total time.
/// </para>
/// Safe for use by many at once.
/// </summary>
internal sealed partial class HranaConnection : IDisposable
{
    private const int MaxRefusalBytes = 64 * 1024;
    private static readonly TimeSpan MaxIdle = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MaxLifetime = TimeSpan.FromMinutes(10);
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly TursoOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly ResiliencePipeline _repetition;
    private readonly ResiliencePipeline _repetitionOfReads;

    public HranaConnection(TursoOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _time = time;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            Proxy = new ProxyUnlessLocal(HttpClient.DefaultProxy),
            ConnectTimeout = options.ConnectTimeout,
            ConnectCallback = ConnectAsync,
            MaxConnectionsPerServer = options.MaxConnections,
            PooledConnectionIdleTimeout = MaxIdle,
            PooledConnectionLifetime = MaxLifetime,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _repetition = Repetition(options, time, logger, failure => !failure.MayHaveExecuted);
        _repetitionOfReads = Repetition(options, time, logger, _ => true);
    }

    /// <summary>Sends a request, repeating it as the rule allows.</summary>
    /// <param name="call">The request.</param>
    /// <param name="read">Reads the answer; what it throws of <see cref="HranaReader.IsNonsense"/> makes a <see cref="TursoFailure.Malformed"/>.</param>
    /// <param name="cancellationToken">Gives up; a write may then have been executed.</param>
    public async Task<T> SendAsync<T>(HranaCall call, Func<HttpResponseMessage, HranaTry, Task<T>> read, CancellationToken cancellationToken)
    {
        TursoException? last = null;
        var isTrying = false;
        using var timeout = new CancellationTokenSource(_options.TotalTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var context = ResilienceContextPool.Shared.Get(either.Token);
        context.Properties.Set(CallKey, call);
        try
        {
            return await (call.ChangesNothing && !call.HasBaton ? _repetitionOfReads : _repetition).ExecuteAsync(
                async context =>
                {
                    isTrying = true;
                    try
                    {
                        return await TryWithTokenAsync(call, read, context.CancellationToken);
                    }
                    catch (TursoException failure)
                    {
                        (last, isTrying) = (failure, false);
                        throw;
                    }
                },
                context);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Between two tries the last one tells; a try that was under way may have done what it was to do.
            if (last is not null && !isTrying) throw last;
            throw call.Target.Failure(TursoFailure.Unanswered, call.Action, $"no answer within {_options.TotalTimeout.TotalSeconds:0.###} s");
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>A secret that was renewed since is a reason to ask once more; nothing was executed.</summary>
    private async Task<T> TryWithTokenAsync<T>(HranaCall call, Func<HttpResponseMessage, HranaTry, Task<T>> read, CancellationToken cancellationToken)
    {
        var token = await call.Target.TokenAsync(cancellationToken);
        try
        {
            return await TryAsync(call, token, read, cancellationToken);
        }
        catch (TursoException refused) when (refused.Status == HttpStatusCode.Unauthorized)
        {
            if (!await call.Target.RenewTokenAsync(token, cancellationToken)) throw;
            return await TryAsync(call, await call.Target.TokenAsync(cancellationToken), read, cancellationToken);
        }
    }

    private async Task<T> TryAsync<T>(HranaCall call, string? token, Func<HttpResponseMessage, HranaTry, Task<T>> read, CancellationToken cancellationToken)
    {
        var limit = _options.RequestTimeout;
        var attempt = new HranaTry(call, limit, _time, cancellationToken);
        var isHandedOn = false;
        try
        {
            using var request = new HttpRequestMessage(call.Body.IsEmpty ? HttpMethod.Get : HttpMethod.Post, call.Url);
            if (!call.Body.IsEmpty) request.Content = new ReadOnlyMemoryContent(call.Body) { Headers = { ContentType = Json } };
            if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, attempt.Token);
            try
            {
                if (!response.IsSuccessStatusCode) throw await RefusalAsync(call, response, attempt.Token);
                var answer = await read(response, attempt);
                isHandedOn = answer is IAsyncDisposable;
                return answer;
            }
            finally
            {
                if (!isHandedOn) response.Dispose();
            }
        }
        catch (Exception failure) when (attempt.Explain(failure, cancellationToken) is { } explained)
        {
            throw explained;
        }
        finally
        {
            if (!isHandedOn) attempt.Dispose();
        }
    }

    /// <summary>What a status that is no success stands for.</summary>
    private async Task<TursoException> RefusalAsync(HranaCall call, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = await RefusalBodyAsync(response, cancellationToken);
        var said = HranaReader.Refusal(body) ?? new HranaError(response.Content.Headers.ContentType?.MediaType == "text/html" ? "" : System.Text.Encoding.UTF8.GetString(body), null);
        var status = response.StatusCode;
        var retryAfter = response.Headers.RetryAfter is { } header ? header.Delta ?? header.Date - _time.GetUtcNow() : null;
        if (retryAfter < TimeSpan.Zero) retryAfter = TimeSpan.Zero;
        var failure = status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => TursoFailure.Unauthorized,
            HttpStatusCode.NotFound => TursoFailure.NotFound,
            HttpStatusCode.RequestEntityTooLarge => TursoFailure.TooLarge,
            HttpStatusCode.TooManyRequests => TursoFailure.Overloaded,
            HttpStatusCode.ServiceUnavailable when retryAfter is not null => TursoFailure.Overloaded,
            HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError => TursoFailure.Unavailable,
            // An expired stream has a code; of one that a restart ended, and of a baton that was used, there is only a sentence.
            HttpStatusCode.BadRequest when call.HasBaton && (said.Code == "STREAM_EXPIRED" || said.Message.Contains("baton", StringComparison.Ordinal)) => TursoFailure.StreamLost,
            _ => TursoFailure.Refused,
        };
        var explained = call.Target.Failure(failure, call.Action, $"{(int)status} {call.Target.Words(said.Message)}");
        return new TursoException(failure, explained.Message)
        {
            Status = status,
            Code = HranaTarget.Code(said.Code),
            RetryAfter = retryAfter,
            // A used baton means that an earlier send of the very same request did arrive.
            MayHaveExecuted = failure == TursoFailure.Unavailable || (failure == TursoFailure.StreamLost && said.Message.Contains("already been used", StringComparison.Ordinal)),
        };
    }

    private static async Task<byte[]> RefusalBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await response.Content.LoadIntoBufferAsync(MaxRefusalBytes, cancellationToken);
            return await response.Content.ReadAsByteArrayAsync(cancellationToken);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or SocketException)
        {
            return [];
        }
    }

    /// <summary>Names below <c>localhost</c> are this machine (RFC 6761, 6.3), which not every resolver knows; sqld tells its namespaces apart by them.</summary>
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (ProxyUnlessLocal.IsNameOfThisMachine(context.DnsEndPoint.Host)) await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellationToken);
            else await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static readonly ResiliencePropertyKey<HranaCall> CallKey = new("call");

    private static ResiliencePipeline Repetition(TursoOptions options, TimeProvider time, ILogger logger, Func<TursoException, bool> mayRepeat)
    {
        var builder = new ResiliencePipelineBuilder { TimeProvider = time };
        if (options.Retries == 0) return builder.Build();
        return builder.AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<TursoException>(failure =>
                failure.Failure is TursoFailure.Unreachable or TursoFailure.Overloaded or TursoFailure.Unavailable or TursoFailure.Unanswered
                && mayRepeat(failure) && !(failure.RetryAfter > options.MaxRetryDelay)),
            MaxRetryAttempts = options.Retries,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = options.RetryDelay,
            MaxDelay = options.MaxRetryDelay,
            // No sooner than the server asks, and null for the usual wait.
            DelayGenerator = retry => ValueTask.FromResult((retry.Outcome.Exception as TursoException)?.RetryAfter is { } wait && wait > TimeSpan.Zero ? wait : (TimeSpan?)null),
            OnRetry = retry =>
            {
                if (retry.Context.Properties.TryGetValue(CallKey, out var call))
                    LogRetry(logger, call.Target.Organization, retry.Outcome.Exception?.Message ?? "", retry.AttemptNumber + 1, retry.RetryDelay.TotalMilliseconds);
                return default;
            },
        }).Build();
    }

    [LoggerMessage(LogLevel.Warning, "{Organization}: {Failure} Try {Attempt} failed, next in {DelayMs:0} ms")]
    private static partial void LogRetry(ILogger logger, Silo.Contracts.OrganizationId organization, string failure, int attempt, double delayMs);

    /// <summary>The machine's proxy, if it has one, for all but this machine.</summary>
    private sealed class ProxyUnlessLocal(IWebProxy proxy) : IWebProxy
    {
        public ICredentials? Credentials
        {
            get => proxy.Credentials;
            set => proxy.Credentials = value;
        }

        public static bool IsNameOfThisMachine(string host) =>
            host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);

        public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : proxy.GetProxy(destination);

        public bool IsBypassed(Uri host) => host.IsLoopback || IsNameOfThisMachine(host.Host) || proxy.IsBypassed(host);
    }
}
