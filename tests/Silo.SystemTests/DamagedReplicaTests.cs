using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Silo.SystemTests;

/// <summary>
/// Somebody deletes, cuts or mixes up objects of the bucket. An organization is then not opened at all, rather than short or empty;
/// and when the objects are back, so is everything else.
/// </summary>
public sealed class DamagedReplicaTests(DamagedReplicaTests.SharedService shared) : IClassFixture<DamagedReplicaTests.SharedService>, IDisposable
{
    private const int OldRows = 60;
    private const int NewRows = 6;

    private readonly StandaloneHost _silo = shared.Silo;

    public void Dispose() => _silo.Process.Report();

    [Theory]
    [InlineData("first segment deleted")]
    [InlineData("middle segment deleted")]
    [InlineData("last segment deleted")]
    [InlineData("middle segment cut")]
    [InlineData("middle segment emptied")]
    [InlineData("last segment cut")]
    [InlineData("last segment emptied")]
    [InlineData("snapshot deleted")]
    [InlineData("snapshot cut")]
    [InlineData("snapshot emptied")]
    [InlineData("everything deleted")]
    [InlineData("middle segment swapped")]
    [InlineData("last segment swapped")]
    [InlineData("snapshot swapped")]
    [InlineData("everything swapped")]
    [InlineData("head deleted")]
    [InlineData("head emptied")]
    [InlineData("head cut")]
    [InlineData("head swapped")]
    [InlineData("head from the future")]
    [InlineData("head of another epoch")]
    public async Task Organization_WithDamageInTheBucket_IsNotOpenedUntilItIsMended(string damage)
    {
        var (acme, other) = ($"acme-{shared.Next()}", $"other-{shared.Next()}");
        var (rows, _) = (await FillAsync(acme), await FillAsync(other));
        var replica = new Replica(shared.Objects, acme, await GenerationAsync(acme), await GenerationAsync(other));

        var undo = await replica.DamageAsync(damage);
        for (var call = 0; call < 3; call++)
        {
            (await _silo.Member(acme).GetAsync("/api/contacts")).Refuses(503, "database_unavailable");
            (await _silo.Member(acme).AddContactAsync("Eve")).Refuses(503, "database_unavailable");
        }
        Assert.Empty(Directory.EnumerateFiles(shared.Databases, $"org-{acme}.db", SearchOption.AllDirectories));

        await undo();
        await Eventually.GetAsync(async () => (await _silo.Member(acme).GetAsync("/api/contacts/count")).Status == 200 ? "yes" : null, $"{acme} is served again after '{damage}'");
        Assert.Equal(rows, await _silo.Member(acme).NamesAsync());
        (await _silo.Member(acme).AddContactAsync("Grace", "replicated")).Is(201);
    }

    /// <summary>As when a former Litestream of the owner uploads once more: its generation has the newest object, and not the newest rows.</summary>
    [Fact]
    public async Task Organization_WithAYoungerObjectInAnotherGeneration_IsRestoredFromTheOneOfItsHead()
    {
        var acme = $"acme-{shared.Next()}";
        var rows = await FillAsync(acme);
        var generation = await GenerationAsync(acme);
        var others = generation[..(generation.IndexOf("/generations/", StringComparison.Ordinal) + "/generations/".Length)] + "0123456789abcdef/";
        foreach (var name in (await shared.Objects.NamesAsync(generation)).Where(name => !name.Contains("/wal/00000000_", StringComparison.Ordinal) || name.Contains("_00000000.", StringComparison.Ordinal)))
            await shared.Objects.WriteAsync(others + name[generation.Length..], await shared.Objects.ReadAsync(name));

        Assert.Equal(rows, await _silo.Member(acme).NamesAsync());
    }

    /// <summary>Gives an organization a snapshot, with rows that no segment has, and several segments; and puts it away.</summary>
    private async Task<IReadOnlyList<string>> FillAsync(string organization)
    {
        await _silo.Operator.CreateOrganizationAsync(organization);
        var member = _silo.Member(organization);
        var notes = new string('n', 1_000);
        for (var i = 0; i < OldRows; i++) (await member.PostAsync("/api/contacts", JsonSerializer.Serialize(new { name = $"{organization} old {i}", notes }))).Is(201);
        await PutAwayAsync(organization);
        for (var i = 0; i < NewRows; i++) (await member.AddContactAsync($"{organization} {i}", "replicated")).Is(201);
        var names = await member.NamesAsync();
        await PutAwayAsync(organization);
        return names;
    }

    private async Task PutAwayAsync(string organization)
    {
        (await _silo.Operator.PostAsync($"/api/admin/databases/{organization}/deactivate")).Is(202);
        await _silo.Operator.UntilInactiveAsync(organization);
    }

    private async Task<string> GenerationAsync(string organization)
    {
        var current = (await _silo.Bucket.HeadAsync(organization))!.Value.GetProperty("current");
        return $"litestream-replicas/{organization}/epoch-{current.GetProperty("epoch").GetInt64():D12}/generations/{current.GetProperty("generation").GetString()}/";
    }

    /// <summary>The objects of one organization, beside those of another one.</summary>
    private sealed class Replica(BucketObjects objects, string organization, string own, string others)
    {
        private readonly string _head = $"heads/{organization}.json";

        /// <summary>Does what the name of the damage says.</summary>
        /// <returns>What mends it.</returns>
        public async Task<Func<Task>> DamageAsync(string damage)
        {
            var (what, how) = (damage[..damage.LastIndexOf(' ')], damage[(damage.LastIndexOf(' ') + 1)..]);
            if (damage == "head from the future") return await ReplaceAsync([_head], bytes => Edit(bytes, head => head["version"] = 99));
            if (damage == "head of another epoch")
                return await ReplaceAsync([_head], bytes => Edit(bytes, head => head["current"]!["epoch"] = head["current"]!["epoch"]!.GetValue<long>() + 7));
            var names = await NamesAsync(what, own);
            return how switch
            {
                "deleted" => await ReplaceAsync(names, _ => null),
                "cut" => await ReplaceAsync(names, bytes => bytes[..(bytes.Length / 2)]),
                "emptied" => await ReplaceAsync(names, _ => []),
                _ => await SwapAsync(what, names),
            };
        }

        private async Task<IReadOnlyList<string>> NamesAsync(string what, string generation)
        {
            if (what == "head") return [generation == own ? _head : $"heads/{generation.Split('/')[1]}.json"];
            var all = await objects.NamesAsync(generation);
            var (snapshots, segments) = (all.Where(name => name.Contains("/snapshots/", StringComparison.Ordinal)).ToList(), all.Where(name => name.Contains("/wal/", StringComparison.Ordinal)).ToList());
            Assert.True(segments.Count >= 3, $"too few segments: {string.Join(' ', all)}");
            return what switch
            {
                "first segment" => segments[..1],
                "middle segment" => [segments[segments.Count / 2]],
                "last segment" => segments[^1..],
                "snapshot" => snapshots,
                _ => all,
            };
        }

        /// <summary>Puts the other organization's objects in the place of these, under names that fit.</summary>
        private async Task<Func<Task>> SwapAsync(string what, IReadOnlyList<string> names)
        {
            var theirs = await NamesAsync(what, others);
            if (what != "everything") return await ReplaceAsync(names, await objects.ReadAsync(theirs[0]));
            var undo = await ReplaceAsync(names, _ => null);
            foreach (var name in theirs) await objects.WriteAsync(own + name[others.Length..], await objects.ReadAsync(name));
            return async () =>
            {
                foreach (var name in await objects.NamesAsync(own)) await objects.DeleteAsync(name);
                await undo();
            };
        }

        private Task<Func<Task>> ReplaceAsync(IReadOnlyList<string> names, byte[] content) => ReplaceAsync(names, _ => content);

        private async Task<Func<Task>> ReplaceAsync(IReadOnlyList<string> names, Func<byte[], byte[]?> change)
        {
            var before = new Dictionary<string, byte[]>();
            foreach (var name in names)
            {
                before[name] = await objects.ReadAsync(name);
                if (change(before[name]) is { } changed) await objects.WriteAsync(name, changed);
                else await objects.DeleteAsync(name);
            }
            return async () =>
            {
                foreach (var (name, content) in before) await objects.WriteAsync(name, content);
            };
        }

        private static byte[] Edit(byte[] head, Action<JsonNode> change)
        {
            var json = JsonNode.Parse(head)!;
            change(json);
            return Encoding.UTF8.GetBytes(json.ToJsonString());
        }
    }

    /// <summary>One service for all: each story has organizations of its own.</summary>
    public sealed class SharedService : IAsyncLifetime
    {
        private readonly Machine _machine = new();
        private int _last;

        internal StandaloneHost Silo { get; private set; } = null!;

        internal BucketObjects Objects { get; private set; } = null!;

        internal string Databases => _machine.Databases;

        internal int Next() => Interlocked.Increment(ref _last);

        public async ValueTask InitializeAsync()
        {
            // Nothing here passes while a gateway is patient.
            Silo = await _machine.StartStandaloneAsync("--Gateway:RetryFor=00:00:00", "--Database:RetryBackoff=00:00:00.200", "--Database:MaxRetryBackoff=00:00:01");
            Objects = new BucketObjects(new Uri(Silo.Ready.BucketUrl!), "silo");
        }

        public ValueTask DisposeAsync() => _machine.DisposeAsync();
    }
}
