using System.Text.Json;

namespace Silo.SystemTests.Machines;

/// <summary>What the service answered.</summary>
internal sealed record Answer(int Status, string Text, string? ContentType, string? Durability, TimeSpan? RetryAfter, string? Location)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    /// <summary>The problem's code; null for an answer that is none.</summary>
    public string? Code => ContentType == "application/problem+json" ? Json.GetProperty("code").GetString() : null;

    public string Id => Json.GetProperty("id").GetString()!;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken) => new(
        (int)response.StatusCode,
        await response.Content.ReadAsStringAsync(cancellationToken),
        response.Content.Headers.ContentType?.MediaType,
        response.Headers.TryGetValues("Silo-Durability", out var durability) ? durability.Single() : null,
        response.Headers.RetryAfter?.Delta,
        response.Headers.Location?.OriginalString);

    /// <summary>Checks that this is an answer of this status.</summary>
    public Answer Is(int status)
    {
        Assert.True(Status == status, $"Expected {status}, and got {Status}: {Text}");
        return this;
    }

    /// <summary>Checks that this is the refusal of this code, in full (RFC 9457 and our two).</summary>
    public Answer Refuses(int status, string code)
    {
        Assert.True(Status == status && Code == code, $"Expected {status} {code}, and got {Status}: {Text}");
        var problem = Json;
        foreach (var member in (string[])["type", "title", "detail"]) Assert.NotEmpty(problem.GetProperty(member).GetString()!);
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.Matches("^[0-9a-f]{32}$", problem.GetProperty("traceId").GetString());
        Assert.Equal(status is 429 or 503, RetryAfter is not null);
        return this;
    }
}
