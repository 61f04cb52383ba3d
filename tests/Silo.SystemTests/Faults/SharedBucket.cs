using System.Text.Json;

namespace Silo.SystemTests.Faults;

/// <summary>The bucket that all owners share: an emulator in a process of its own, and the faults that are planned for it at present.</summary>
internal sealed class SharedBucket(Uri url)
{
    public const string Name = "silo";

    private readonly SemaphoreSlim _change = new(1, 1);
    private readonly List<object[]> _plans = []; // under _change

    public Uri Url => url;

    public Bucket Objects { get; } = new(url, Name);

    public Task<IReadOnlyList<string>> NamesAsync(string prefix) => new BucketObjects(url, Name).NamesAsync(prefix);

    public static async Task<SharedBucket> StartAsync(Machine machine)
    {
        var emulator = machine.Start([HostProcess.Program("Silo.GcsEmulator"), "--port", "0", "--data", machine["bucket"], "--bucket", Name]);
        return new SharedBucket(new Uri((await emulator.ReadyAsync()).BucketUrl!));
    }

    /// <summary>Adds entries to the fault plan (DESIGN.md of the emulator says what they mean).</summary>
    public Task BreakAsync(object[] faults) => ChangeAsync(() => _plans.Add(faults));

    /// <summary>Takes entries out of the plan again.</summary>
    public Task RepairAsync(object[] faults) => ChangeAsync(() => _plans.Remove(faults));

    private async Task ChangeAsync(Action change)
    {
        await _change.WaitAsync();
        try
        {
            change();
            await Objects.BreakAsync(JsonSerializer.Serialize(_plans.SelectMany(plan => plan)));
        }
        finally
        {
            _change.Release();
        }
    }
}
