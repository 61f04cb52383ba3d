using System.Globalization;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

/// <summary>What may happen next.</summary>
internal enum SimulatedEvent
{
    Pass,
    Start,
    Write,
    Publish,
    Renew,
    Release,
    Crash,
    Freeze,
    ReleaseExpired,
}

/// <summary>One thing that happens.</summary>
/// <param name="Event">What.</param>
/// <param name="Owner">To which owner.</param>
/// <param name="Size">How long or how much, 0 to 999.</param>
internal readonly record struct SimulatedMove(SimulatedEvent Event, int Owner, int Size);

/// <summary>
/// Three owners, one head, and a network between them that delays, loses, repeats and refuses. Every run of the same seed and moves is the
/// same. After everything that happens at most one owner may believe that it may write.
/// </summary>
internal sealed class LeaseSimulation
{
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromSeconds(5);

    private readonly Random _random;
    private readonly SimulatedOwner[] _owners;
    private readonly PriorityQueue<Action, (TimeSpan, long)> _events = new();
    private long _order;
    private int _names;
    private int _marks;

    public LeaseSimulation(int seed)
    {
        _random = new Random(seed);
        // Within the margin: the fastest clock sees 25 s where the slowest sees 28.
        _owners = [new(this, 0, 1 + (0.06 * (_random.NextDouble() - 0.5))), new(this, 1, 0.94), new(this, 2, 1.06)];
    }

    public LeaseOptions Options { get; } = new();

    public SimulatedBucket Bucket { get; } = new();

    public TimeSpan Now { get; private set; }

    public long Answered { get; set; }

    public long Refused { get; set; }

    public long MovedAway { get; set; }

    public long Resumed { get; set; }

    public string NewName(string kind) => kind + (++_names).ToString(CultureInfo.InvariantCulture);

    public string NewOperationId() => NewName("o");

    public void Run(IEnumerable<SimulatedMove> moves)
    {
        foreach (var move in moves)
        {
            Make(move);
            Check();
        }
    }

    public void At(TimeSpan time, Action action) => _events.Enqueue(action, (time, _order++));

    /// <summary>A read: what the head was at some moment between question and answer, or a failure.</summary>
    public void Read(SimulatedOwner owner, Action<StoredHead?> found, Action failed)
    {
        if (_random.Next(100) < 8)
        {
            At(Now + Delay(), owner.Living(failed));
            return;
        }
        StoredHead? seen = null;
        var answer = owner.Living(() => found(seen));
        At(Now + Delay(), () =>
        {
            seen = Bucket.Read(Now);
            At(Now + Delay(), answer);
        });
    }

    /// <summary>A write: done or not, answered or not, now or much later, once or twice.</summary>
    public void Write(SimulatedOwner owner, LeaseStep.Write write, Action<long> written, Action unclear)
    {
        var answered = false;
        Action Once(Action answer) => owner.Living(() =>
        {
            if (answered) return;
            answered = true;
            answer();
        });

        At(Now + ClientTimeout, Once(unclear));
        switch (_random.Next(20))
        {
            case 0: // 429 or 503: refused
                At(Now + Delay() + Delay(), Once(unclear));
                break;
            case 1: // never arrives
                break;
            case 2: // done, and answered with a failure
                At(Now + Delay(), () => Execute(write));
                At(Now + Delay() + Delay(), Once(unclear));
                break;
            case 3 or 4: // done, and the answer is lost
                At(Now + Delay(), () => Execute(write));
                break;
            case 5 or 6: // arrives long after everybody gave it up
                At(Now + Late(), () => Execute(write));
                break;
            case 7: // refused, and a copy of it arrives later
                At(Now + Delay() + Delay(), Once(unclear));
                At(Now + Late(), () => Execute(write));
                break;
            case 8: // arrives twice
                Answer();
                At(Now + Late(), () => Execute(write));
                break;
            default:
                Answer();
                break;
        }

        void Answer()
        {
            long? generation = null;
            var answer = Once(() =>
            {
                if (generation is { } done) written(done);
                else unclear(); // 412
            });
            At(Now + Delay(), () =>
            {
                generation = Execute(write);
                At(Now + Delay(), answer);
            });
        }
    }

    private long? Execute(LeaseStep.Write write) => Bucket.Write(write, Now);

    private void Make(SimulatedMove move)
    {
        var owner = _owners[move.Owner];
        switch (move.Event)
        {
            case SimulatedEvent.Pass:
                Advance(TimeSpan.FromMilliseconds(10 + (0.02 * move.Size * move.Size)));
                break;
            case SimulatedEvent.Crash:
                owner.Crash();
                break;
            case SimulatedEvent.Freeze:
                owner.Freeze(TimeSpan.FromMilliseconds(100 * move.Size));
                break;
            case var _ when Now < owner.FrozenUntil:
                break;
            case SimulatedEvent.Start:
                owner.Start();
                break;
            case SimulatedEvent.Write:
                owner.Write(TimeSpan.FromMilliseconds(move.Size / 5));
                break;
            case SimulatedEvent.Publish:
                owner.Publish(++_marks);
                break;
            case SimulatedEvent.Renew:
                owner.Renew(++_marks);
                break;
            case SimulatedEvent.Release:
                owner.Release(++_marks);
                break;
            default:
                owner.ReleaseExpired();
                break;
        }
    }

    private void Advance(TimeSpan time)
    {
        var until = Now + time;
        while (_events.TryPeek(out var action, out var due) && due.Item1 <= until)
        {
            _events.Dequeue();
            if (due.Item1 > Now) Now = due.Item1;
            action();
            Check();
        }
        Now = until;
    }

    private void Check()
    {
        SimulatedOwner? first = null;
        foreach (var owner in _owners)
        {
            if (!owner.MayWrite) continue;
            Broken.If(first is not null, $"at {Now}: {first?.Name} and {owner.Name} both believe that they may write");
            first = owner;
        }
    }

    private TimeSpan Delay() => TimeSpan.FromMilliseconds(_random.Next(10) == 0 ? _random.Next(4000) : _random.Next(5, 120));

    private TimeSpan Late() => TimeSpan.FromMilliseconds(_random.Next(1000, 90_000));
}
