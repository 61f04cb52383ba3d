using System.Diagnostics.Metrics;

namespace Silo.Storage.Telemetry;

/// <summary>
/// A counter of events that are told apart by one label with a closed list of values. All of them are there from the start, with 0: from
/// nothing to 1 is no increase that Prometheus could see, and an alert would miss the first lost lease.
/// </summary>
internal sealed class EventCounts
{
    private readonly long[] _counts;
    private readonly string[] _values;

    /// <summary>Begins to count.</summary>
    /// <param name="meter">Whose.</param>
    /// <param name="name">The instrument's name.</param>
    /// <param name="unit">Its unit.</param>
    /// <param name="description">What it is, in words.</param>
    /// <param name="label">The label; null for events that are all alike.</param>
    /// <param name="values">Its values.</param>
    public EventCounts(Meter meter, string name, string unit, string description, string? label = null, params string[] values)
    {
        _values = label is null ? [""] : values;
        _counts = new long[_values.Length];
        KeyValuePair<string, object?>[][] labels = [.. _values.Select(value => label is null ? [] : new[] { new KeyValuePair<string, object?>(label, value) })];
        meter.CreateObservableCounter(name, () => labels.Select((given, i) => new Measurement<long>(Volatile.Read(ref _counts[i]), given)), unit, description);
    }

    /// <summary>Counts.</summary>
    /// <param name="value">One of the values of the label.</param>
    /// <param name="number">How many.</param>
    public void Add(string value = "", long number = 1) => Interlocked.Add(ref _counts[Array.IndexOf(_values, value)], number);
}
