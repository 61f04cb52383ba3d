using Microsoft.Extensions.Options;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

/// <summary>
/// A silo that takes, renews, publishes, writes and gives back, by the production state machines. What it adds is what a process
/// adds: a clock that runs at its own speed, crashes, and moments in which it is stopped.
/// </summary>
internal sealed class SimulatedOwner(LeaseSimulation world, int number, double speed)
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _clockStart = TimeSpan.FromHours(number);
    private int _life;
    private HeadChange? _change;
    private LeaseIntent _intent;
    private HeadOwner? _self;
    private StoredHead? _held;
    private LeaseTerm? _term;
    private bool _ending;
    private TimeSpan _renewAt;

    /// <summary>Until when it is stopped.</summary>
    public TimeSpan FrozenUntil { get; private set; }

    /// <summary>What it would answer if it were asked right now whether it may write.</summary>
    public bool MayWrite => _held is not null && !_ending && _term!.IsRunning(Clock);

    public string Name => $"owner {number}, life {_life}, epoch {_held?.Head.Epoch}";

    private TimeSpan Clock => _clockStart + (world.Now * speed);

    public void Start()
    {
        if (_held is not null || _change is not null) return;
        _self = new HeadOwner("cluster", $"silo-{number}-{_life}", world.NewName("a"), $"folder-{number}");
        Begin(LeaseIntent.Take, new LeaseClaim(_self, world.Options, new FormerOwner(_self, _ => false, new KnownDeaths(Options.Create(world.Options), TimeProvider.System), world.Options).DrainOf, world.NewOperationId));
    }

    public void Publish(int mark)
    {
        if (_held is { } held && !_ending && _change is null)
            Begin(LeaseIntent.Publish, LeaseUpdate.Publish(held, world.NewName("g"), mark, 1, world.Options, world.NewOperationId));
    }

    public void Renew(int mark)
    {
        if (_held is { } held && !_ending && _change is null) Begin(LeaseIntent.Renew, LeaseUpdate.Renew(held, mark, world.Options, world.NewOperationId));
    }

    public void Release(int mark)
    {
        if (_held is not { } held || _ending || _change is not null) return;
        _ending = true;
        Begin(LeaseIntent.Release, LeaseUpdate.Release(held, mark, world.Options, world.NewOperationId));
    }

    public void ReleaseExpired()
    {
        if (_held is null && _change is null) Begin(LeaseIntent.ReleaseExpired, new ExpiredLeaseRelease(world.Options, world.NewOperationId));
    }

    /// <summary>A write of a row: it is checked, committed, checked again and answered; anything can happen in between.</summary>
    public void Write(TimeSpan duration)
    {
        if (!MayWrite) return;
        After(duration, () =>
        {
            if (!MayWrite) return;
            world.Answered++;
            Broken.If(
                world.Bucket.Head is not { } head || head.Owner != _self || head.Epoch != _held!.Head.Epoch,
                $"{Name}: a write is answered although epoch {world.Bucket.Head?.Epoch} has begun");
        });
    }

    /// <summary>kill -9, and a new life. Requests that are under way go on.</summary>
    public void Crash()
    {
        _life++;
        Forget();
        FrozenUntil = world.Now;
    }

    /// <summary>SIGSTOP, for a time.</summary>
    public void Freeze(TimeSpan time) => FrozenUntil = world.Now + time;

    private void Begin(LeaseIntent intent, HeadChange change)
    {
        (_intent, _change) = (intent, change);
        Take(change.Begin(Clock));
    }

    private void Take(LeaseStep step)
    {
        var change = _change!;
        switch (step)
        {
            case LeaseStep.Read:
                world.Read(this, found => Take(change.Found(found, Clock)), failed: End);
                break;
            case LeaseStep.Inspect asked:
                After(TimeSpan.FromMilliseconds(40), () => Take(((LeaseClaim)change).Inspected(asked.Head?.Truth, Clock)));
                break;
            case LeaseStep.Write write:
                world.Bucket.Sent(write.Head, _intent);
                world.Write(this, write, written: generation => Take(change.Written(generation)), unclear: () => Take(HeadChange.Unclear()));
                break;
            case LeaseStep.Wait wait:
                After(wait.Time, () => Take(HeadChange.Waited()));
                break;
            case LeaseStep.Done done:
                Done(done);
                break;
            case LeaseStep.Held held:
                Broken.If(_intent == LeaseIntent.Take && held.Owner == _self, $"{Name}: it has taken the organization and does not know it");
                world.Refused++;
                End();
                break;
            case LeaseStep.Moved:
                Broken.If(
                    world.Bucket.Head is { } head && head.Owner == _held?.Head.Owner && head.Epoch == _held.Head.Epoch,
                    $"{Name}: it believes that another owner came, and none did");
                world.MovedAway++;
                Forget();
                break;
            default:
                End();
                break;
        }
    }

    private void Done(LeaseStep.Done done)
    {
        var isInBucket = done.Stored.ObjectGeneration == 0 || world.Bucket.HasExecuted(done.Stored.Head);
        Broken.If(!isInBucket, $"{Name}: {_intent} counts as done, and no such write was");
        var intent = _intent;
        _change = null;
        if (intent is LeaseIntent.ReleaseExpired) return;
        if (intent is LeaseIntent.Release)
        {
            Forget();
            return;
        }
        if (intent is LeaseIntent.Take) _term = new LeaseTerm(world.Options);
        if (intent is LeaseIntent.Renew && !MayWrite) world.Resumed++;
        _held = done.Stored;
        _term!.Extend(done.SentAt);
        _renewAt = done.SentAt + world.Options.RenewInterval;
        RenewInTime();
    }

    private void RenewInTime()
    {
        var due = _renewAt;
        After(due - Clock, () =>
        {
            if (_held is null || _ending || due != _renewAt) return;
            if (_change is null) Renew(0);
            else _renewAt = Clock + Second;
            if (due != _renewAt) RenewInTime();
        });
    }

    /// <summary>The change came to nothing; what it sent may still take effect.</summary>
    private void End()
    {
        _change = null;
        if (_ending) Forget();
        else if (_held is not null)
        {
            _renewAt = Clock + Second;
            RenewInTime();
        }
    }

    private void Forget()
    {
        (_change, _held, _term, _ending) = (null, null, null, false);
    }

    /// <summary>Runs something later, unless this life has ended by then; a stopped process does it when it goes on.</summary>
    private void After(TimeSpan wait, Action action) => world.At(world.Now + (wait > TimeSpan.Zero ? wait / speed : TimeSpan.Zero), Living(action));

    /// <summary>Something to do only in this life, for this activation, and not while stopped.</summary>
    public Action Living(Action action)
    {
        var (life, self) = (_life, _self);
        void Run()
        {
            if (life != _life || self != _self) return;
            if (world.Now < FrozenUntil) world.At(FrozenUntil, Run);
            else action();
        }
        return Run;
    }
}
