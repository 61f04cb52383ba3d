using System.Net.Http.Headers;
using System.Net.Http.Json;
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

    public async Task<T> PostAsync<TBody, T>(string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        await ReadAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body, bodyType) }, type, AnswerTimeout, cancellationToken);

    /// <summary>Sends a request of any kind. Sending its body takes as long as it takes.</summary>
    public Task<T> SendAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        ReadAsync(request, type, System.Threading.Timeout.InfiniteTimeSpan, cancellationToken);

    public async Task PostAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        using var answer = await SendAsync(request, AnswerTimeout, cancellationToken);
    }

    public async Task DeleteAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        using var answer = await SendAsync(request, AnswerTimeout, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> ReadAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using (request)
        using (var answer = await SendAsync(request, timeout, cancellationToken))
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

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RefusedException($"{_http.BaseAddress} cannot be reached: {e.Message} ({UrlVariable} names another server.)", null, e);
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer) throw await RefusedException.OfAsync(answer, cancellationToken);
    }
}

/// <summary>The server refused, failed, or cannot be reached.</summary>
/// <param name="message">One sentence.</param>
/// <param name="code">The stable code of the refusal; null when it has none.</param>
/// <param name="innerException">The cause.</param>
internal sealed class RefusedException(string message, string? code, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>The stable code of the refusal (API.md, "Errors"); null when it has none.</summary>
    public string? Code { get; } = code;

    /// <summary>What an answer says.</summary>
    public static async Task<RefusedException> OfAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var status = (int)answer.StatusCode;
        try
        {
            if (await answer.Content.ReadFromJsonAsync(CliJson.Default.Problem, cancellationToken) is { Code: { } code } problem)
            {
                var fields = problem.Errors is null ? "" : string.Concat(problem.Errors.Select(field => $" {field.Key}: {string.Join(' ', field.Value)}"));
                return new RefusedException($"{problem.Detail ?? problem.Title}{fields}", code);
            }
        }
        catch (JsonException)
        {
            // Something that stands between answered; its status is all there is to tell.
        }
        return new RefusedException($"The server answered {status} ({answer.ReasonPhrase}), and no reason.", null);
    }
}
