using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Silo.SystemTests.Machines;

/// <summary>The bucket as anyone sees it who has its address and the stock Litestream, and the faults of its emulator.</summary>
internal sealed class Bucket(Uri url, string name)
{
    private static readonly HttpClient Http = new();

    private readonly Uri _faults = new(url, "/_emulator/faults");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The head of an organization; null when there is none.</summary>
    public async Task<JsonElement?> HeadAsync(string organization)
    {
        using var answer = await Http.GetAsync(new Uri(url, $"/{name}/heads/{organization}.json"), Cancellation);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : JsonDocument.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Cancellation)).RootElement;
    }

    /// <summary>The state in the head: acquiring, active or released.</summary>
    public async Task<string?> StateAsync(string organization) => (await HeadAsync(organization))?.GetProperty("state").GetString();

    /// <summary>How many requests have met a fault of the plan.</summary>
    public async Task<long> FaultsAsync() => JsonDocument.Parse(await Http.GetStringAsync(new Uri(url, "/_emulator/stats"), Cancellation)).RootElement.GetProperty("faults").GetInt64();

    /// <summary>How often the bucket has waited for the disk.</summary>
    public async Task<long> FlushesAsync() => JsonDocument.Parse(await Http.GetStringAsync(new Uri(url, "/_emulator/stats"), Cancellation)).RootElement.GetProperty("flushes").GetInt64();

    /// <summary>How many requests there were, not counting those that look or break.</summary>
    public async Task<long> RequestsAsync()
    {
        var statistics = JsonDocument.Parse(await Http.GetStringAsync(new Uri(url, "/_emulator/stats"), Cancellation)).RootElement;
        return statistics.GetProperty("requests").EnumerateObject().Where(kind => kind.Name != "control").Sum(kind => kind.Value.GetInt64());
    }

    public async Task BreakAsync(string plan)
    {
        using var body = new StringContent(plan, Encoding.UTF8, "application/json");
        (await Http.PutAsync(_faults, body, Cancellation)).EnsureSuccessStatusCode();
    }

    public async Task RepairAsync() => (await Http.DeleteAsync(_faults, Cancellation)).EnsureSuccessStatusCode();

    /// <summary>
    /// What an operator does by hand: reads the head and runs <c>litestream restore</c> for the generation that it names.
    /// </summary>
    /// <param name="organization">The organization.</param>
    /// <param name="file">Where to restore it to.</param>
    /// <returns>Id and name of each contact, newest first.</returns>
    public async Task<IReadOnlyList<(string Id, string Name)>> RestoreByHandAsync(string organization, string file)
    {
        var head = (await HeadAsync(organization))!.Value;
        var truth = head.GetProperty("current") is { ValueKind: JsonValueKind.Object } current ? current : head.GetProperty("base");
        var start = new ProcessStartInfo(
            HostProcess.Program("litestream/litestream"),
            ["restore", "-generation", truth.GetProperty("generation").GetString()!, "-o", file,
             $"gcs://{name}/litestream-replicas/{organization}/epoch-{truth.GetProperty("epoch").GetInt64():D12}"])
        {
            RedirectStandardError = true,
        };
        start.Environment["STORAGE_EMULATOR_HOST"] = url.Authority;
        using var restore = Process.Start(start)!;
        var said = await restore.StandardError.ReadToEndAsync(Cancellation);
        await restore.WaitForExitAsync(Cancellation);
        Assert.True(restore.ExitCode == 0, said);
        return Read(file);
    }

    /// <summary>The contacts of a file, which must be whole: id and name of each, newest first.</summary>
    public static IReadOnlyList<(string Id, string Name)> Read(string file)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
        connection.Open();
        using var check = connection.CreateCommand();
        check.CommandText = "PRAGMA integrity_check";
        Assert.Equal("ok", check.ExecuteScalar());
        using var select = connection.CreateCommand();
        select.CommandText = "SELECT id, name FROM contacts ORDER BY seq DESC";
        using var rows = select.ExecuteReader();
        var contacts = new List<(string, string)>();
        while (rows.Read()) contacts.Add((rows.GetString(0), rows.GetString(1)));
        return contacts;
    }
}
