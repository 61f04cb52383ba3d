using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Silo.Cli;

/// <summary>The admin API of one server. Every refusal becomes a <see cref="RefusedException"/> of one sentence.</summary>
internal sealed class ServerConnection : IDisposable
{
    public const string UrlVariable = "SILO_URL";
    public const string TokenVariable = "SILO_TOKEN";
    public const string DefaultUrl = "http://127.0.0.1:8080";

    // Above what the server may take for one answer, so that its own refusal is seen.
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromMinutes(3);

    // A server that makes a copy of a very large database says nothing meanwhile.
    private static readonly TimeSpan DownloadTimeout = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan StallTimeout = TimeSpan.FromMinutes(1);

    // What runs on the server outlasts the restart of a gateway and the move of an organization; so does whoever follows it. From the first failure.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private const int DownloadBufferBytes = 128 * 1024;

    private readonly HttpClient _http;

    private ServerConnection(Uri url, string token)
    {
        _http = new HttpClient { BaseAddress = url, Timeout = System.Threading.Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>Connects to the server that the environment names.</summary>
    /// <exception cref="UsageException">The environment names none that can be, or has no token.</exception>
    public static ServerConnection Open()
    {
        var text = Environment.GetEnvironmentVariable(UrlVariable) is { Length: > 0 } set ? set : DefaultUrl;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            throw new UsageException($"{UrlVariable} is '{text}'; it must be an address such as {DefaultUrl}.");
        return Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token
            ? new ServerConnection(url, token.Trim())
            : throw new UsageException($"{TokenVariable} is not set; it must have the token of an admin.");
    }

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        await ReadAsync(new HttpRequestMessage(HttpMethod.Get, path), type, AnswerTimeout, cancellationToken);

    /// <summary>Asks how far something is that goes on by itself: a question that gets no answer now is put again, for a bounded time.</summary>
    /// <param name="path">What tells of it.</param>
    /// <param name="type">What it tells.</param>
    /// <param name="elsewhere">Where the end of it can be seen, for who gives up.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<T> FollowAsync<T>(string path, JsonTypeInfo<T> type, string elsewhere, CancellationToken cancellationToken)
    {
        for (long? refused = null; ;)
        {
            try
            {
                return await GetAsync(path, type, cancellationToken);
            }
            catch (RefusedException e) when (e.RetryAfter is { } wait)
            {
                refused ??= TimeProvider.System.GetTimestamp();
                if (TimeProvider.System.GetElapsedTime(refused.Value) + wait > Patience) throw new RefusedException($"{e.Message} It may still go on; {elsewhere} tells how it ends.", e.Code, e);
                await Task.Delay(wait, TimeProvider.System, cancellationToken);
            }
        }
    }

    public async Task<T> PostAsync<TBody, T>(string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        await ReadAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body, bodyType) }, type, AnswerTimeout, cancellationToken);

    /// <summary>Sends a request of any kind. Sending its body takes as long as it takes.</summary>
    public Task<T> SendAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        ReadAsync(request, type, System.Threading.Timeout.InfiniteTimeSpan, cancellationToken);

    public async Task PostAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        using var answer = await SendAsync(request, AnswerTimeout, HttpCompletionOption.ResponseContentRead, cancellationToken);
    }

    public async Task DeleteAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        using var answer = await SendAsync(request, AnswerTimeout, HttpCompletionOption.ResponseContentRead, cancellationToken);
    }

    /// <summary>Copies what the server sends into a stream, and compares its length and SHA-256 with what the server says (RFC 9530).</summary>
    /// <param name="path">What to fetch.</param>
    /// <param name="destination">Where it goes.</param>
    /// <param name="progress">Told how many bytes of how many have come.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RefusedException">The server refused, the transfer broke off, or what came is not what was sent.</exception>
    /// <exception cref="IOException">The destination cannot be written.</exception>
    public async Task<Download> DownloadAsync(string path, Stream destination, Action<long, long> progress, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var answer = await SendAsync(request, DownloadTimeout, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (answer.Content.Headers.ContentLength is not { } total || Sha256Of(answer) is not { } expected)
            throw new RefusedException($"The answer of {request.RequestUri} says neither how long it is nor what its checksum is; nothing was written.", null);

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var content = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[DownloadBufferBytes];
        long received = 0;
        progress(received, total);
        for (int read; (read = await ReceiveAsync(content, buffer, received, total, cancellationToken)) > 0; progress(received, total))
        {
            await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            hash.AppendData(buffer.AsSpan(0, read));
            received += read;
        }
        if (received != total) throw Broken(received, total, null);
        var found = Convert.ToHexStringLower(hash.GetHashAndReset());
        return found == expected
            ? new Download(received, found, answer.Content.Headers.LastModified)
            : throw new RefusedException($"What came has the SHA-256 {found}, and the server says {expected}: it was damaged on its way. Nothing was written; try again.", null);
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> ReadAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using (request)
        using (var answer = await SendAsync(request, timeout, HttpCompletionOption.ResponseContentRead, cancellationToken))
        {
            try
            {
                return await answer.Content.ReadFromJsonAsync(type, cancellationToken) ?? throw new JsonException("it is null");
            }
            catch (JsonException e)
            {
                throw new RefusedException($"The answer of {request.RequestUri} is not what this version of the program expects: {e.Message}", null, e);
            }
        }
    }

    private static async Task<int> ReceiveAsync(Stream content, Memory<byte> buffer, long received, long total, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StallTimeout);
        try
        {
            return await content.ReadAsync(buffer, limit.Token);
        }
        catch (Exception e) when (e is IOException or HttpRequestException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw Broken(received, total, e);
        }
    }

    private static RefusedException Broken(long received, long total, Exception? cause) => new(
        string.Create(CultureInfo.InvariantCulture, $"The transfer broke off after {received:N0} of {total:N0} bytes. Nothing was written; try again."), null, cause);

    private static string? Sha256Of(HttpResponseMessage answer)
    {
        const string Algorithm = "sha-256=:";
        if (!answer.Headers.TryGetValues("Repr-Digest", out var digests)) return null;
        var digest = digests.SelectMany(value => value.Split(',', StringSplitOptions.TrimEntries)).FirstOrDefault(digest => digest.StartsWith(Algorithm, StringComparison.Ordinal));
        var bytes = new byte[SHA256.HashSizeInBytes];
        return digest is not null && Convert.TryFromBase64String(digest[Algorithm.Length..].TrimEnd(':'), bytes, out var length) && length == bytes.Length
            ? Convert.ToHexStringLower(bytes)
            : null;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, TimeSpan timeout, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, completion, limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RefusedException($"{_http.BaseAddress} cannot be reached: {e.Message} ({UrlVariable} names another server.)", null, e) { RetryAfter = RefusedException.DefaultRetryAfter };
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer) throw await RefusedException.OfAsync(answer, cancellationToken);
    }
}

/// <summary>What was fetched.</summary>
/// <param name="Bytes">How much.</param>
/// <param name="Sha256">Its SHA-256, in hexadecimal.</param>
/// <param name="LastModified">Of when it is, as the server says.</param>
internal sealed record Download(long Bytes, string Sha256, DateTimeOffset? LastModified);

/// <summary>The server refused, failed, or cannot be reached.</summary>
/// <param name="message">One sentence.</param>
/// <param name="code">The stable code of the refusal; null when it has none.</param>
/// <param name="innerException">The cause.</param>
internal sealed class RefusedException(string message, string? code, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>For what may pass, and does not say when.</summary>
    public static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>The stable code of the refusal (API.md, "Errors"); null when it has none.</summary>
    public string? Code { get; } = code;

    /// <summary>After how long the same question may be answered; null when to ask again does not help.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>What an answer says.</summary>
    public static async Task<RefusedException> OfAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var status = (int)answer.StatusCode;
        // Two of them are of what stands before a gateway that is away; one that says to come back at once is not to be asked without a pause.
        TimeSpan? retryAfter = answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout
            ? answer.Headers.RetryAfter?.Delta is { } asked && asked > DefaultRetryAfter ? asked : DefaultRetryAfter
            : null;
        try
        {
            if (await answer.Content.ReadFromJsonAsync(CliJson.Default.Problem, cancellationToken) is { Code: { } code } problem)
            {
                var fields = problem.Errors is null ? "" : string.Concat(problem.Errors.Select(field => $" {field.Key}: {string.Join(' ', field.Value)}"));
                return new RefusedException($"{problem.Detail ?? problem.Title}{fields}", code) { RetryAfter = retryAfter };
            }
        }
        catch (JsonException)
        {
            // Something that stands between answered; its status is all there is to tell.
        }
        return new RefusedException($"The server answered {status} ({answer.ReasonPhrase}), and no reason.", null) { RetryAfter = retryAfter };
    }
}
