using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Silo.Storage.Gcs;

/// <summary>One request to the bucket.</summary>
/// <param name="Action">What it does to which object, for messages: "read object heads/a.json of bucket b".</param>
/// <param name="Request">Makes the request; called again for each try.</param>
/// <param name="BodyBytes">How large its body is.</param>
/// <param name="AlsoExpected">A status besides 2xx that is an answer and no failure.</param>
internal sealed record BucketCall(string Action, Func<HttpRequestMessage> Request, long BodyBytes = 0, HttpStatusCode? AlsoExpected = null)
{
    /// <summary>False for a request that carries its own permission, as the address of an upload does.</summary>
    public bool NeedsCredential { get; init; } = true;
}

/// <summary>
/// Sends requests: adds the credentials, limits the time, tells failures apart in one place, and repeats what may be repeated.
/// </summary>
internal sealed partial class BucketConnection : IDisposable
{
    private const int MaxReasonBytes = 64 * 1024;
    private static readonly TimeSpan MaxIdle = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MaxLifetime = TimeSpan.FromMinutes(10);

    private readonly GcsOptions _options;
    private readonly TimeProvider _time;
    private readonly BucketCredential? _credential;
    private readonly HttpClient _http;
    private readonly ResiliencePipeline _repetition;
    private long _silentSince; // 0 while requests are answered
    private long _lastAnswer; // 0 before the first

    public BucketConnection(GcsOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _time = time;
        _credential = options.EmulatorHost is null ? BucketCredential.OfThisProcess() : null;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = options.EmulatorHost is null,
            ConnectTimeout = options.ConnectTimeout,
            PooledConnectionIdleTimeout = MaxIdle,
            PooledConnectionLifetime = MaxLifetime,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _repetition = Repetition(options, time, logger);
    }

    /// <summary>For how long no request has been answered, whatever the answer; zero when the last one was, or when nobody asks.</summary>
    public TimeSpan Silence => Interlocked.Read(ref _silentSince) is not 0 and var since ? _time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>How long ago a request was answered last, whatever the answer; the longest time before the first.</summary>
    public TimeSpan SinceAnswer => Interlocked.Read(ref _lastAnswer) is not 0 and var last ? _time.GetElapsedTime(last) : TimeSpan.MaxValue;

    /// <summary>Sends a call until it succeeds, fails for good, or has been tried often or long enough.</summary>
    public Task<T> RepeatAsync<T>(BucketCall call, Func<HttpResponseMessage, BucketTry, Task<T>> read, CancellationToken cancellationToken) =>
        RepeatAsync(call.Action, TotalTime(call.BodyBytes), token => TryAsync(call, read, token), cancellationToken);

    /// <summary>Does something that may safely be done twice, until it succeeds, fails for good, or has been tried often or long enough.</summary>
    public async Task<T> RepeatAsync<T>(string action, TimeSpan limit, Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        BucketException? last = null;
        using var timeout = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await _repetition.ExecuteAsync(
                async token =>
                {
                    try
                    {
                        return await attempt(token);
                    }
                    catch (BucketException failure)
                    {
                        last = failure;
                        throw;
                    }
                },
                either.Token);
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            throw last ?? BucketException.Unanswered(action, $"no answer within {limit.TotalSeconds:0.###} s", late);
        }
    }

    /// <summary>Sends a call once.</summary>
    /// <exception cref="BucketPreconditionException">412.</exception>
    /// <exception cref="BucketException">Any other failure; transient when there was no whole answer.</exception>
    public async Task<T> TryAsync<T>(BucketCall call, Func<HttpResponseMessage, BucketTry, Task<T>> read, CancellationToken cancellationToken)
    {
        var limit = _options.RequestTimeout + BodyTime(call.BodyBytes);
        using var timeout = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var request = call.Request();
            if (_credential is not null && call.NeedsCredential) request.Headers.Authorization = await _credential.GetAsync(call.Action, either.Token);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            Interlocked.Exchange(ref _silentSince, 0);
            Interlocked.Exchange(ref _lastAnswer, _time.GetTimestamp());
            if (response.IsSuccessStatusCode || response.StatusCode == call.AlsoExpected)
                return await read(response, new BucketTry(timeout, limit, either.Token));
            if (response.StatusCode == HttpStatusCode.PreconditionFailed) throw new BucketPreconditionException(call.Action);
            throw BucketException.Answered(call.Action, response.StatusCode, await ReasonAsync(response, either.Token));
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            Interlocked.CompareExchange(ref _silentSince, _time.GetTimestamp(), 0);
            throw BucketException.Unanswered(call.Action, $"no answer within {limit.TotalSeconds:0.###} s", late);
        }
        // HttpClient lets a bare SocketException out when a connection is reset in the moment in which it was made.
        catch (Exception failure) when (failure is HttpRequestException or HttpIOException or SocketException)
        {
            Interlocked.CompareExchange(ref _silentSince, _time.GetTimestamp(), 0);
            throw BucketException.Unanswered(call.Action, failure.Message, failure);
        }
        catch (Exception failure) when (failure is JsonException or FormatException)
        {
            throw BucketException.Unanswered(call.Action, $"the answer cannot be understood ({failure.Message})", failure);
        }
    }

    /// <summary>The bucket's own words about a failure; empty when there are none that can be read.</summary>
    public static async Task<string> ReasonAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await response.Content.LoadIntoBufferAsync(MaxReasonBytes, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            return text.StartsWith('{') ? JsonSerializer.Deserialize(text, BucketJson.Default.ErrorResource)?.Error?.Message ?? "" : text;
        }
        catch (Exception failure) when (failure is HttpRequestException or HttpIOException or SocketException or JsonException)
        {
            return "";
        }
    }

    /// <summary>How long a call with a body of this size may be tried in all.</summary>
    public TimeSpan TotalTime(long bodyBytes) => _options.TotalTimeout + BodyTime(bodyBytes);

    public void Dispose() => _http.Dispose();

    private static TimeSpan BodyTime(long bytes) => TimeSpan.FromSeconds(bytes / (1024 * 1024));

    private static ResiliencePipeline Repetition(GcsOptions options, TimeProvider time, ILogger logger)
    {
        var builder = new ResiliencePipelineBuilder { TimeProvider = time };
        if (options.Retries == 0) return builder.Build();
        return builder.AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<BucketException>(failure => failure.IsTransient),
            MaxRetryAttempts = options.Retries,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = options.RetryDelay,
            MaxDelay = options.MaxRetryDelay,
            OnRetry = retry =>
            {
                LogRetry(logger, retry.Outcome.Exception?.Message ?? "", retry.AttemptNumber + 1, retry.RetryDelay.TotalMilliseconds);
                return default;
            },
        }).Build();
    }

    [LoggerMessage(LogLevel.Warning, "{Failure} Try {Attempt} failed, next in {DelayMs:0} ms")]
    private static partial void LogRetry(ILogger logger, string failure, int attempt, double delayMs);
}

/// <summary>One try at a call, whose time runs.</summary>
internal readonly struct BucketTry(CancellationTokenSource timeout, TimeSpan limit, CancellationToken token)
{
    /// <summary>Ends when the caller gives up or the time of this try is over.</summary>
    public CancellationToken Token => token;

    /// <summary>Starts the time anew: something has come.</summary>
    public void Extend() => timeout.CancelAfter(limit);
}
