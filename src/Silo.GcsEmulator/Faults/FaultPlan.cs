using Silo.GcsEmulator.Http;

namespace Silo.GcsEmulator.Faults;

/// <summary>What the plan says about one request.</summary>
/// <param name="Delay">How long it waits first.</param>
/// <param name="Fault">What then happens to it, if anything.</param>
/// <param name="PlanChanged">Cancelled when this plan is replaced or deleted.</param>
internal readonly record struct FaultDecision(TimeSpan Delay, Fault? Fault, CancellationToken PlanChanged);

/// <summary>
/// The faults in force, tried in their order: every <c>delay</c> that matches adds up, the first other match decides.
/// </summary>
internal sealed class FaultPlan(TimeProvider time) : IDisposable
{
    /// <summary>More than any test needs.</summary>
    private const int MaxFaults = 100;

    private readonly Lock _gate = new();
    private Armed[] _armed = []; // replaced, never changed; its entries are under _gate
    private CancellationTokenSource _changed = new(); // under _gate

    /// <summary>The entries as they were set, each with how often it has fired.</summary>
    public Fault[] Faults
    {
        get
        {
            lock (_gate) return [.. _armed.Select(armed => armed.Fault with { Fired = armed.Fired })];
        }
    }

    /// <summary>Puts this plan in the place of the old one, or refuses it as a whole.</summary>
    public void Replace(IReadOnlyList<Fault> faults)
    {
        if (faults.Count > MaxFaults) throw GcsRefusal.Invalid($"A fault plan has at most {MaxFaults} entries.");
        for (var at = 0; at < faults.Count; at++)
        {
            if (faults[at] is null) throw GcsRefusal.Invalid($"Fault {at} is null.");
            if (faults[at].Problem() is { } problem) throw GcsRefusal.Invalid($"Fault {at}: {problem}.");
        }
        var now = time.GetTimestamp();
        CancellationTokenSource old;
        lock (_gate)
        {
            (old, _changed) = (_changed, new CancellationTokenSource());
            _armed = [.. faults.Select(fault => new Armed(fault, now))];
        }
        old.Cancel(); // not disposed: a request may be about to wait on it
    }

    public FaultDecision Decide(string verb, RequestKind kind, string name)
    {
        if (Volatile.Read(ref _armed).Length == 0) return default; // the usual case costs nothing
        lock (_gate)
        {
            var delay = TimeSpan.Zero;
            foreach (var armed in _armed)
            {
                if (!armed.Fault.Matches(verb, kind, name) || !armed.TryFire(time)) continue;
                if (armed.Fault.Action is not (FaultAction.Stall or FaultAction.Late)) delay += TimeSpan.FromMilliseconds(armed.Fault.DelayMs ?? 0);
                if (armed.Fault.Action != FaultAction.Delay) return new FaultDecision(delay, armed.Fault, _changed.Token);
            }
            return new FaultDecision(delay, null, _changed.Token);
        }
    }

    /// <summary>Lets go of whoever is stalled.</summary>
    public void Dispose()
    {
        Replace([]);
        lock (_gate) _changed.Dispose();
    }

    private sealed class Armed(Fault fault, long since)
    {
        private readonly Random _chance = new(fault.Seed ?? 0);

        public Fault Fault => fault;

        public int Fired { get; private set; }

        public bool TryFire(TimeProvider time)
        {
            if (Fired >= fault.Count) return false;
            if (time.GetElapsedTime(since).TotalMilliseconds >= fault.DurationMs) return false;
            if (fault.Probability is { } probability && _chance.NextDouble() >= probability) return false;
            Fired++;
            return true;
        }
    }
}
