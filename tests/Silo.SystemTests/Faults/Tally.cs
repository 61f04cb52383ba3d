using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Silo.SystemTests.Faults;

/// <summary>What a run counts.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<string, int> _faults = new();
    private readonly List<TimeSpan> _afterKill = [];
    private readonly List<TimeSpan> _afterShutdown = [];
    private TimeSpan _oldestLost;

    public int Rounds { get; set; }

    public List<int> Seeds { get; } = [];

    public int Local { get; set; }

    public int Replicated { get; set; }

    public int Unknown { get; set; }

    public int Refused { get; set; }

    /// <summary>Acknowledged writes that are gone and must not be.</summary>
    public int Lost { get; set; }

    /// <summary>Writes of an owner that was none any more, acknowledged or restored.</summary>
    public int Zombies { get; set; }

    /// <summary>Local writes that went with their machine, as they may.</summary>
    public int LostWithMachines { get; private set; }

    /// <summary>Local writes that no other owner could know of, and that are on the disk of the one who answered them.</summary>
    public int KeptOnDisk { get; private set; }

    public void Injected(string kind) => _faults.AddOrUpdate(kind, 1, (_, count) => count + 1);

    /// <summary>A local write that went with its machine.</summary>
    /// <param name="age">Time between its answer and the loss.</param>
    public void LostWithMachine(TimeSpan age)
    {
        LostWithMachines++;
        if (age > _oldestLost) _oldestLost = age;
    }

    /// <summary>A local write that another owner could not know of, and that is kept on the disk of the one who answered it.</summary>
    public void SetAside() => KeptOnDisk++;

    /// <summary>How long it took from the end of an owner until another one had answered a write.</summary>
    public void TookOver(TimeSpan time, bool afterKill) => (afterKill ? _afterKill : _afterShutdown).Add(time);

    /// <summary>Adds what was answered.</summary>
    public void Count(IEnumerable<Write> writes)
    {
        foreach (var write in writes)
        {
            if (write.Outcome == Outcome.Unknown) Unknown++;
            else if (write.Outcome == Outcome.Refused) Refused++;
            else if (write.IsReplicated) Replicated++;
            else Local++;
        }
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"rounds                               {Rounds}");
        text.AppendLine(CultureInfo.InvariantCulture, $"faults injected                      {_faults.Values.Sum()}");
        foreach (var (kind, count) in _faults.OrderBy(fault => fault.Key, StringComparer.Ordinal)) text.AppendLine(CultureInfo.InvariantCulture, $"  {kind,-35}{count}");
        text.AppendLine(CultureInfo.InvariantCulture, $"writes acknowledged, replicated      {Replicated}");
        text.AppendLine(CultureInfo.InvariantCulture, $"writes acknowledged, local           {Local}");
        text.AppendLine(CultureInfo.InvariantCulture, $"writes refused, unknown              {Refused}, {Unknown}");
        text.AppendLine(CultureInfo.InvariantCulture, $"acknowledged and lost                {Lost}");
        text.AppendLine(CultureInfo.InvariantCulture, $"zombie writes acked or restored      {Zombies}");
        text.AppendLine(CultureInfo.InvariantCulture, $"local ones lost with their machine   {LostWithMachines} (the oldest {_oldestLost.TotalSeconds:0.00} s before)");
        text.AppendLine(CultureInfo.InvariantCulture, $"local ones kept on their owner's disk {KeptOnDisk}");
        text.AppendLine(CultureInfo.InvariantCulture, $"takeover after kill -9               {Range(_afterKill)} (time to live {OwnerSettings.TimeToLive.TotalSeconds:0} s)");
        text.AppendLine(CultureInfo.InvariantCulture, $"takeover after a clean shutdown      {Range(_afterShutdown)}");
        text.AppendLine(CultureInfo.InvariantCulture, $"seeds                                {string.Join(", ", Seeds)}");
        return text.ToString();
    }

    private static string Range(List<TimeSpan> times) => times.Count == 0
        ? "-"
        : string.Create(CultureInfo.InvariantCulture, $"{times.Min().TotalSeconds:0.00} to {times.Max().TotalSeconds:0.00} s, {times.Count} times");
}
