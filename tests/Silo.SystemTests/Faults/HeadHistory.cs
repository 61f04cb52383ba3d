using System.Collections.Concurrent;
using System.Text.Json;

namespace Silo.SystemTests.Faults;

/// <summary>Looks at the heads all the time, to know afterwards who owned an organization when, whatever the owners believe.</summary>
internal sealed class HeadHistory : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(2);

    private readonly HttpClient _http;
    private readonly Recorder _recorder;
    private readonly Dictionary<string, List<Reign>> _reigns; // each list by its own task, and by others once traffic has settled
    private readonly ConcurrentDictionary<string, long> _generations = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _looking;

    public HeadHistory(SharedBucket bucket, IReadOnlyList<string> organizations, Recorder recorder)
    {
        _http = new HttpClient { BaseAddress = bucket.Url, Timeout = RequestLimit };
        _recorder = recorder;
        _reigns = organizations.ToDictionary(organization => organization, _ => new List<Reign>());
        _looking = Task.WhenAll(organizations.Select(LookAsync));
    }

    /// <summary>One epoch as it was seen: it had begun by <see cref="SeenFrom"/> and had not ended at <see cref="SeenTo"/>.</summary>
    public sealed record Reign(long Epoch, string Owner, TimeSpan SeenFrom)
    {
        public TimeSpan SeenTo { get; set; } = SeenFrom;

        public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Epoch} of {Owner} ({SeenFrom.TotalSeconds:0.000} to {SeenTo.TotalSeconds:0.000})");
    }

    /// <summary>All epochs of an organization that were seen, oldest first.</summary>
    public IReadOnlyList<Reign> Of(string organization)
    {
        lock (_reigns[organization]) return [.. _reigns[organization]];
    }

    /// <summary>Whether others than this owner are known to have owned the organization through the whole of a time.</summary>
    public bool OthersOwned(string organization, string owner, TimeSpan begin, TimeSpan end)
    {
        Reign? first = null, last = null;
        foreach (var reign in Of(organization))
        {
            if (reign.Owner == owner) (first, last) = (null, null);
            else if (last?.Epoch == reign.Epoch - 1) last = reign;
            else first = last = reign; // an epoch between was not seen, and may have been this owner's
            if (first is not null && first.SeenFrom <= begin && last!.SeenTo >= end) return true;
        }
        return false;
    }

    /// <summary>
    /// Whether an owner that answered in both of two times is known to have had the organization all the way between, be it in
    /// several epochs, with no other one and none unseen.
    /// </summary>
    public bool OwnedThroughout(string organization, string owner, TimeSpan begin, TimeSpan end)
    {
        var all = Of(organization);
        var possible = all.SkipWhile((reign, at) => at + 1 < all.Count && all[at + 1].SeenFrom <= begin).ToList();
        var beyond = possible.FindIndex(reign => reign.SeenTo >= end);
        if (beyond < 0) return false;
        possible = possible[..(beyond + 1)];
        // It did answer, so what is its own at both ends is what it answered in.
        possible = [.. possible.SkipWhile(reign => reign.Owner != owner).Reverse().SkipWhile(reign => reign.Owner != owner).Reverse()];
        return possible.Count > 0
            && possible.All(reign => reign.Owner == owner)
            && possible[^1].Epoch - possible[0].Epoch == possible.Count - 1;
    }

    /// <summary>The epoch in which a generation was seen to be published; null when it was not.</summary>
    public long? EpochOf(string generation) => _generations.TryGetValue(generation, out var epoch) ? epoch : null;

    /// <summary>The last moment of which it is known who owned the organization.</summary>
    public TimeSpan SeenTo(string organization) => Of(organization) is [.., var last] ? last.SeenTo : TimeSpan.Zero;

    /// <summary>Waits until that is after a moment.</summary>
    public Task UntilSeenAsync(string organization, TimeSpan moment) => Eventually.IsAsync(() => SeenTo(organization) > moment, $"the head of {organization} is seen");

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _looking;
        _stopping.Dispose();
        _http.Dispose();
    }

    private async Task LookAsync(string organization)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await Pause.ForAsync(Interval, _stopping.Token);
                var begin = _recorder.Now;
                using var answer = await _http.GetAsync($"/{SharedBucket.Name}/heads/{organization}.json", _stopping.Token);
                if (answer.IsSuccessStatusCode) Saw(organization, JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(_stopping.Token)).RootElement, begin);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // A fault that is meant for the owners hit this look; the next one will see.
            }
        }
    }

    private void Saw(string organization, JsonElement head, TimeSpan begin)
    {
        var (epoch, owner) = (head.GetProperty("epoch").GetInt64(), head.GetProperty("owner").GetProperty("clusterId").GetString()!);
        if (head.TryGetProperty("current", out var current) && current.ValueKind == JsonValueKind.Object)
            _generations[current.GetProperty("generation").GetString()!] = current.GetProperty("epoch").GetInt64();
        lock (_reigns[organization])
        {
            var reigns = _reigns[organization];
            if (reigns is [.., var last] && last.Epoch == epoch)
            {
                last.SeenTo = begin;
                return;
            }
            reigns.Add(new Reign(epoch, owner, _recorder.Now) { SeenTo = begin });
            _recorder.Happened($"{organization} has epoch {epoch} of {owner}");
        }
    }
}
