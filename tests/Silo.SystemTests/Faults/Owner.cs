using Silo.Storage.Litestream;

namespace Silo.SystemTests.Faults;

/// <summary>
/// A silo of a cluster of its own on a machine of its own, with its own catalog and data folder. It shares nothing with the
/// other owners but the bucket, so any of them may own any organization.
/// </summary>
internal sealed class Owner : IAsyncDisposable
{
    /// <summary>Longer than the longest wait that the owner itself allows a request.</summary>
    private static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(15);

    private readonly Machine _machine = new();
    private readonly Recorder _recorder;
    private readonly IReadOnlyList<string> _organizations;
    private readonly string[] _settings;
    private readonly string _clockFile;
    private HostProcess? _process;
    private volatile Service? _service;
    private readonly bool _hasSteppedClock;
    private volatile bool _frozen;
    private bool _hasCatalog;

    public Owner(string name, SharedBucket bucket, IReadOnlyList<string> organizations, Recorder recorder, string[] settings, bool hasSteppedClock)
    {
        Name = name;
        _settings = settings;
        _hasSteppedClock = hasSteppedClock;
        Link = new NetworkLink(bucket.Url.Port);
        _organizations = organizations;
        _recorder = recorder;
        _clockFile = _machine["clock"];
    }

    /// <summary>Also its cluster's id, by which heads name it.</summary>
    public string Name { get; }

    /// <summary>Its way to the bucket.</summary>
    public NetworkLink Link { get; }

    /// <summary>Null while it does not run.</summary>
    public Service? Service => _service;

    /// <summary>Whether it runs, frozen or not.</summary>
    public bool IsUp => _service is not null;

    /// <summary>Whether it is frozen at this moment.</summary>
    public bool IsFrozen => _frozen;

    /// <summary>When it was frozen and thawed, oldest first. What is sent to it meanwhile it hears only afterwards.</summary>
    public List<(TimeSpan Begin, TimeSpan? End)> Freezes { get; } = [];

    /// <summary>When its machine was lost with everything on it.</summary>
    public List<TimeSpan> Losses { get; } = [];

    /// <summary>Its Litestream processes.</summary>
    public IReadOnlyList<ChildProcess> Litestreams => _machine.Litestreams();

    /// <summary>The folder of its databases, in use, left over or set aside.</summary>
    public string Databases => _machine.Databases;

    /// <summary>Starts the silo; the first time on this disk with an empty catalog, in which the organizations are registered.</summary>
    public async Task StartAsync()
    {
        await File.WriteAllTextAsync(_clockFile, "+0", TestContext.Current.CancellationToken);
        _process = _machine.Start(
        [
            HostProcess.Program("Silo.Standalone"), "--no-emulator", "--urls", "http://127.0.0.1:0", "--data", _machine.Data, $"--Auth:SigningKey={Service.SigningKey}",
            $"--Clustering:ClusterId={Name}", .. OwnerSettings.All, .. _settings,
        ], [("GCS_BUCKET_NAME", SharedBucket.Name), ("STORAGE_EMULATOR_HOST", Link.Authority), .. _hasSteppedClock ? SteppedClock.Environment(_clockFile) : []]);
        var service = new Service((await _process.ReadyAsync()).Url!, RequestLimit);
        if (!_hasCatalog)
        {
            foreach (var organization in _organizations) await service.Operator.CreateOrganizationAsync(organization);
            _hasCatalog = true;
        }
        _service = service;
    }

    /// <summary>Ends the silo as an orchestrator does, and waits for its end.</summary>
    public async Task TerminateAsync()
    {
        await _process!.TerminateAsync();
        Down();
    }

    /// <summary><c>kill -9</c> of the silo alone: its Litestreams find out by themselves, its files stay.</summary>
    public async Task KillAsync()
    {
        await _process!.KillAsync();
        Down();
    }

    /// <summary>Everything on this machine ends in the same moment, and its disk is gone.</summary>
    public async Task LoseMachineAsync()
    {
        // First all stand still: nothing uploads what another did not.
        var lost = await FreezeMachineAsync();
        Losses.Add(_recorder.Now);
        foreach (var process in lost) process.Kill();
        await _process!.ExitAsync();
        await Eventually.IsAsync(() => lost.All(process => !process.IsAlive), "the machine is off");
        Directory.Delete(_machine.Data, recursive: true);
        _hasCatalog = false;
        EndFreeze();
        Down();
    }

    /// <summary>Stops the silo alone; its Litestreams go on.</summary>
    public Task FreezeAsync() => FreezeAsync([_process!.Identity]);

    /// <summary>Stops everything on the machine.</summary>
    /// <returns>What was stopped.</returns>
    public async Task<IReadOnlyList<ChildProcess>> FreezeMachineAsync()
    {
        // A process that was just being started while the others were stopped is found by the second look.
        await FreezeAsync([_process!.Identity]);
        await _machine.Running().FreezeAsync();
        var all = _machine.Running();
        await all.FreezeAsync();
        return all;
    }

    /// <summary>Lets everything on the machine go on.</summary>
    public void Thaw()
    {
        EndFreeze();
        _machine.Running().Thaw();
    }

    /// <summary>Steps the silo's clock; its monotonic clock is not touched.</summary>
    public Task StepClockAsync(TimeSpan step) => SteppedClock.StepAsync(_clockFile, step);

    /// <summary>Adds what its silos said to the report of the test.</summary>
    public async ValueTask DisposeAsync()
    {
        Link.Heal();
        Thaw();
        Down();
        await _machine.DisposeAsync();
        await Link.DisposeAsync();
    }

    private async Task FreezeAsync(IReadOnlyCollection<ChildProcess> processes)
    {
        await processes.FreezeAsync();
        if (_frozen) return;
        Freezes.Add((_recorder.Now, null));
        _frozen = true;
    }

    private void EndFreeze()
    {
        if (!_frozen) return;
        _frozen = false;
        Freezes[^1] = (Freezes[^1].Begin, _recorder.Now);
    }

    private void Down()
    {
        var service = _service;
        _service = null;
        service?.Dispose();
    }
}
