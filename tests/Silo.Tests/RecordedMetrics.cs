using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace Silo.Tests;

/// <summary>Everything that one host measures of Silo, from now on.</summary>
internal sealed class RecordedMetrics : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<Record> _records = new();
    private readonly ConcurrentQueue<Instrument> _instruments = new();

    public RecordedMetrics(IServiceProvider host)
    {
        var meters = host.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name != "Silo" || instrument.Meter.Scope != meters) return;
            _instruments.Enqueue(instrument);
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, labels, _) => Add(instrument, value, labels));
        _listener.SetMeasurementEventCallback<long>((instrument, value, labels, _) => Add(instrument, value, labels));
        _listener.SetMeasurementEventCallback<double>((instrument, value, labels, _) => Add(instrument, value, labels));
        _listener.Start();
    }

    /// <summary>One measurement; its labels as <c>key=value</c>.</summary>
    public sealed record Record(Instrument Instrument, double Value, string[] Labels);

    public IReadOnlyCollection<Record> All => _records;

    /// <summary>How often an instrument with these labels was told something.</summary>
    public int Count(string name, params string[] labels) => Find(name, labels).Count();

    /// <summary>What an instrument that is asked says now: the sum of what has these labels.</summary>
    public double Ask(string name, params string[] labels)
    {
        var told = _records.Count;
        _listener.RecordObservableInstruments();
        return Find(name, labels, told).Sum(record => record.Value);
    }

    /// <summary>The names of all instruments that exist.</summary>
    public IReadOnlyCollection<Instrument> Instruments => _instruments;

    public void Dispose() => _listener.Dispose();

    private IEnumerable<Record> Find(string name, string[] labels, int from = 0) =>
        _records.Skip(from).Where(record => record.Instrument.Name == name && labels.All(record.Labels.Contains));

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        var texts = new string[labels.Length];
        for (var i = 0; i < labels.Length; i++) texts[i] = $"{labels[i].Key}={labels[i].Value}";
        _records.Enqueue(new Record(instrument, value, texts));
    }
}
