using System.Text;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Databases;

namespace Silo.Tests.Storage.Databases;

/// <summary>Reads that may be answered from what was kept of earlier ones tell what is there, as reads of the file do.</summary>
public sealed class CachedReadsTests
{
    private static readonly ContactListQuery Page = new(50, null, null);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static string Text(JsonBytes answer) => answer.Utf8 is null ? "" : Encoding.UTF8.GetString(answer.Utf8);

    [Fact]
    public async Task Reads_AfterEachKindOfWrite_TellWhatIsThere()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        using var metrics = new RecordedMetrics(silo);
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        var ada = (await database.CreateAsync(new ContactFields("Ada"), Token)).Id;
        Assert.Equal(("Ada", "Ada", 1), await ReadAsync(database, ada));
        Assert.Equal(0, metrics.Ask("silo.cache.lookups", "outcome=hit"));
        Assert.Equal(("Ada", "Ada", 1), await ReadAsync(database, ada));
        Assert.Equal((3, 3), (metrics.Ask("silo.cache.lookups", "outcome=hit"), metrics.Ask("silo.cache.lookups", "outcome=miss")));

        await database.ReplaceAsync(ada, new ContactFields("Ada L."), Token);
        Assert.Equal(("Ada L.", "Ada L.", 1), await ReadAsync(database, ada));
        await database.CreateAsync(new ContactFields("Bo"), Token);
        Assert.Equal(("Ada L.", "Bo Ada L.", 2), await ReadAsync(database, ada));
        await database.DeleteAsync(ada, false, Token);
        Assert.Equal(("", "Bo", 1), await ReadAsync(database, ada));
        Assert.Equal(("", "Bo", 1), await ReadAsync(database, ada));
    }

    /// <summary>One that is refused changes nothing, and stops nothing from being kept afterwards.</summary>
    [Fact]
    public async Task Write_Refused_LeavesReadsAsTheyWere()
    {
        await using var bench = await DatabaseBench.StartAsync();
        var silo = bench.Silo("a");
        using var metrics = new RecordedMetrics(silo);
        await using var database = await DatabaseBench.OpenAsync(silo, DatabaseBench.Demo);
        var ada = (await database.CreateAsync(new ContactFields("Ada", "a@example.org"), Token)).Id;
        var bo = (await database.CreateAsync(new ContactFields("Bo", "b@example.org"), Token)).Id;
        await ReadAsync(database, bo);

        await Assert.ThrowsAsync<OrganizationException>(() => database.ReplaceAsync(bo, new ContactFields("Bo", "a@example.org"), Token));

        Assert.Equal(("Bo", "Bo Ada", 2), await ReadAsync(database, bo));
        var kept = metrics.Ask("silo.cache.lookups", "outcome=hit");
        Assert.Equal(("Bo", "Bo Ada", 2), await ReadAsync(database, bo));
        Assert.Equal(kept + 3, metrics.Ask("silo.cache.lookups", "outcome=hit"));
        Assert.Equal(("Ada", "Bo Ada", 2), await ReadAsync(database, ada));
    }

    [Fact]
    public async Task Closed_AnswersNothingThatWasKept()
    {
        await using var bench = await DatabaseBench.StartAsync();
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var ada = (await database.CreateAsync(new ContactFields("Ada"), Token)).Id;
        await ReadAsync(database, ada);

        await database.CloseAsync(Token);

        var refusal = await Assert.ThrowsAsync<OrganizationException>(async () => await database.GetAsync(ada, Token));
        Assert.Equal(OrganizationErrorCode.DatabaseUnavailable, refusal.Code);
        await Assert.ThrowsAsync<OrganizationException>(async () => await database.ListAsync(Page, Token));
    }

    /// <summary>
    /// A contact counts up. Whoever reads sees at least what was answered to its writer, and what anybody has read, before the read began.
    /// </summary>
    [Fact]
    public async Task Reads_BesideWrites_NeverGoBack()
    {
        const int Writes = 400;
        await using var bench = await DatabaseBench.StartAsync();
        await using var database = await DatabaseBench.OpenAsync(bench.Silo("a"), DatabaseBench.Demo);
        var id = (await database.CreateAsync(new ContactFields("0"), Token)).Id;
        var seen = 0;
        var writing = Task.Run(
            async () =>
            {
                for (var i = 1; i <= Writes; i++)
                {
                    await database.ReplaceAsync(id, new ContactFields($"{i}"), Token);
                    See(i);
                }
            }, Token);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(reader => Task.Run(
            async () =>
            {
                while (!writing.IsCompleted)
                {
                    var before = Volatile.Read(ref seen);
                    var answer = Text(reader % 2 == 0 ? await database.GetAsync(id, Token) : await database.ListAsync(Page, Token));
                    var read = int.Parse(NamesOf(answer).Single(), System.Globalization.CultureInfo.InvariantCulture);
                    Assert.True(read >= before, $"{read} was read after {before}");
                    See(read);
                }
            }, Token)).Append(writing));

        void See(int number)
        {
            for (var known = Volatile.Read(ref seen); known < number;)
            {
                var found = Interlocked.CompareExchange(ref seen, number, known);
                if (found == known) return;
                known = found;
            }
        }
    }

    private static async Task<(string Contact, string Page, int Count)> ReadAsync(OrgDatabase database, string id) => (
        string.Join(' ', NamesOf(Text(await database.GetAsync(id, Token)))),
        string.Join(' ', NamesOf(Text(await database.ListAsync(Page, Token)))),
        int.Parse(Text(await database.CountAsync(Token))["{\"count\":".Length..^1], System.Globalization.CultureInfo.InvariantCulture));

    private static IEnumerable<string> NamesOf(string json) => json.Split("\"name\":\"").Skip(1).Select(rest => rest[..rest.IndexOf('"')]);
}
