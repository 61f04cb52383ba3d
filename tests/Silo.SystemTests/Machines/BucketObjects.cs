using System.Net;
using System.Text.Json;

namespace Silo.SystemTests.Machines;

/// <summary>The objects of the bucket, as somebody with the rights to it can look at them, take them away and put others in their place.</summary>
internal sealed class BucketObjects(Uri url, string bucket)
{
    private static readonly HttpClient Http = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The names that begin with a prefix, in order.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(string prefix)
    {
        List<string> names = [];
        string? token = null;
        do
        {
            var address = $"/storage/v1/b/{bucket}/o?prefix={Uri.EscapeDataString(prefix)}&fields=items(name),nextPageToken&pageToken={Uri.EscapeDataString(token ?? "")}";
            var page = JsonDocument.Parse(await Http.GetStringAsync(new Uri(url, address), Cancellation)).RootElement;
            if (page.TryGetProperty("items", out var items)) names.AddRange(items.EnumerateArray().Select(item => item.GetProperty("name").GetString()!));
            token = page.TryGetProperty("nextPageToken", out var next) ? next.GetString() : null;
        }
        while (!string.IsNullOrEmpty(token));
        return names;
    }

    public Task<byte[]> ReadAsync(string name) => Http.GetByteArrayAsync(new Uri(url, $"/{bucket}/{name}"), Cancellation);

    public async Task WriteAsync(string name, byte[] content)
    {
        using var body = new ByteArrayContent(content);
        (await Http.PostAsync(new Uri(url, $"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={Uri.EscapeDataString(name)}"), body, Cancellation)).EnsureSuccessStatusCode();
    }

    public async Task DeleteAsync(string name)
    {
        using var answer = await Http.DeleteAsync(new Uri(url, $"/storage/v1/b/{bucket}/o/{Uri.EscapeDataString(name)}"), Cancellation);
        if (answer.StatusCode != HttpStatusCode.NotFound) answer.EnsureSuccessStatusCode();
    }
}
