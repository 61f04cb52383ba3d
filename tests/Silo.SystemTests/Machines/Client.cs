using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Silo.SystemTests.Machines;

/// <summary>Somebody who calls the service.</summary>
internal sealed class Client(HttpClient http, string? token)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Task<Answer> GetAsync(string path, string? traceParent = null) => SendAsync(HttpMethod.Get, path, traceParent: traceParent);

    public Task<Answer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    public Task<Answer> PostAsync(string path, string? json = null, string? durability = null) => SendAsync(HttpMethod.Post, path, json, durability);

    public Task<Answer> PutAsync(string path, string json) => SendAsync(HttpMethod.Put, path, json);

    public Task<Answer> SendAsync(HttpMethod method, string path, string? json = null, string? durability = null, string? traceParent = null) =>
        SendAsync(method, path, json is null ? null : new StringContent(json, Encoding.UTF8, "application/json"), request =>
        {
            if (durability is not null) request.Headers.Add("Silo-Durability", durability);
            if (traceParent is not null) request.Headers.Add("traceparent", traceParent);
        });

    public async Task<Answer> SendAsync(HttpMethod method, string path, HttpContent? content, Action<HttpRequestMessage>? change = null)
    {
        // As it is written: the client would otherwise fold "..", and the story is about who does.
        var url = new Uri(http.BaseAddress!.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(method, url) { Content = content };
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        change?.Invoke(request);
        using var response = await http.SendAsync(request, Cancellation);
        return await Answer.ReadAsync(response, Cancellation);
    }

    /// <summary>An operator adds a SQLite organization.</summary>
    public async Task CreateOrganizationAsync(string id) =>
        (await PostAsync("/api/admin/organizations", JsonSerializer.Serialize(new { id, name = id, dbType = "sqlite" }))).Is(201);

    /// <summary>Adds a contact of which only the name is known.</summary>
    public Task<Answer> AddContactAsync(string name, string? durability = null, string? traceParent = null) =>
        SendAsync(HttpMethod.Post, "/api/contacts", JsonSerializer.Serialize(new { name }), durability, traceParent);

    public async Task<int> CountAsync() => (await GetAsync("/api/contacts/count")).Is(200).Json.GetProperty("count").GetInt32();

    /// <summary>The names of all contacts, page by page.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync()
    {
        var names = new List<string>();
        for (var cursor = ""; cursor is not null;)
        {
            var page = (await GetAsync($"/api/contacts?limit=500&cursor={Uri.EscapeDataString(cursor)}")).Is(200).Json;
            names.AddRange(page.GetProperty("items").EnumerateArray().Select(contact => contact.GetProperty("name").GetString()!));
            cursor = page.GetProperty("nextCursor").GetString();
        }
        return names;
    }

    /// <summary>An operator looks at an active database; null when it is not active.</summary>
    public async Task<JsonElement?> DatabaseAsync(string organization)
    {
        var answer = await GetAsync($"/api/admin/databases/{organization}");
        if (answer.Status == 200) return answer.Json;
        answer.Refuses(404, "database_not_active");
        return null;
    }

    /// <summary>An operator waits until no silo has the database open.</summary>
    public Task UntilInactiveAsync(string organization) =>
        Eventually.GetAsync(async () => await DatabaseAsync(organization) is null ? "gone" : null, $"{organization} is put away");

    /// <summary>An operator waits until the database is as wanted.</summary>
    public async Task<JsonElement> UntilDatabaseAsync(string organization, Func<JsonElement, bool> wanted, string what) => (JsonElement)await Eventually.GetAsync<object>(
        async () => await DatabaseAsync(organization) is { } status && wanted(status) ? status : null, what);
}
