using System.Globalization;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Databases;

/// <summary>How long each phase of an activation took, in the order they ran.</summary>
public sealed class ActivationPhases(TimeProvider time)
{
    private readonly List<KeyValuePair<string, double>> _milliseconds = [];
    private readonly long _begun = time.GetTimestamp();
    private long _since = time.GetTimestamp();
    private DateTimeOffset _sinceUtc = time.GetUtcNow();

    /// <summary>Time since the first one began.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_begun);

    /// <summary>Phase to milliseconds.</summary>
    public IReadOnlyDictionary<string, double> Milliseconds => new Dictionary<string, double>(_milliseconds);

    /// <summary>The phase that began with the last one's end is over.</summary>
    public void Done(string phase)
    {
        _milliseconds.Add(new(phase, time.GetElapsedTime(_since).TotalMilliseconds));
        _since = time.GetTimestamp();
        SiloActivities.Add(phase, _sinceUtc, _sinceUtc = time.GetUtcNow());
    }

    /// <inheritdoc/>
    public override string ToString() =>
        string.Join(", ", _milliseconds.Select(phase => string.Create(CultureInfo.InvariantCulture, $"{phase.Key} {phase.Value:0.0} ms")));
}
