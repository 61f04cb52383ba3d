using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Silo.Benchmarks.Machine;
using Spectre.Console;

namespace Silo.Benchmarks.Reporting;

/// <summary>Collects measurements: as JSON lines when they are made, and as a table at the end.</summary>
internal sealed class BenchmarkReport(IAnsiConsole console, FileInfo? jsonLines, MachineFacts machine, TimeProvider time)
{
    private readonly List<Measurement> _measurements = [];

    /// <summary>Takes note of a measurement.</summary>
    public void Add(Measurement measurement)
    {
        _measurements.Add(measurement);
        if (jsonLines is not null) File.AppendAllText(jsonLines.FullName, ToJson(measurement).ToJsonString(JsonSerializerOptions.Web) + "\n");
    }

    /// <summary>Writes the table of everything so far.</summary>
    public void Show()
    {
        if (_measurements.Count == 0) return;
        var table = new Table().Border(console.Profile.Out.IsTerminal ? TableBorder.Rounded : TableBorder.Markdown)
            .AddColumns("measurement", "value", "unit").AddColumn("Silo", column => column.RightAligned()).AddColumn("floor", column => column.RightAligned())
            .AddColumn("limit").AddColumn("kept");
        foreach (var measurement in _measurements)
        {
            var name = measurement.Name;
            foreach (var value in measurement.Values)
            {
                table.AddRow(Markup.Escape(name), Markup.Escape(value.Name), measurement.Unit, Number(value.Silo), Number(value.Floor), value.Limit?.ToString() ?? "",
                    value.Kept switch { true => "[green]yes[/]", false => "[red]no[/]", null => "" });
                name = "";
            }
        }
        console.Write(table);
        console.MarkupLineInterpolated(
            $"{machine.Cores} cores, {machine.MemoryMb} MB, Linux {machine.Kernel}, {machine.Runtime}, commit {machine.Commit ?? "unknown"}; the load generator shares the cores with what it measures.");
        console.MarkupLineInterpolated($"Both servers ran with {machine.HostSettings.ToJsonString()}.");
        if (_measurements.Max(measurement => measurement.OtherCores) is > 0.25 and var other)
            console.MarkupLineInterpolated($"[yellow]The machine was not quiet: other processes used up to {other:0.0} cores during a measurement.[/]");
    }

    private JsonObject ToJson(Measurement measurement) => new()
    {
        ["name"] = measurement.Name,
        ["unit"] = measurement.Unit,
        ["silo"] = Numbers(measurement, value => value.Silo),
        ["floor"] = Numbers(measurement, value => value.Floor),
        ["limits"] = new JsonObject(measurement.Values.Where(value => value.Limit is not null)
            .Select(value => KeyValuePair.Create<string, JsonNode?>(value.Name, new JsonObject { ["limit"] = value.Limit.ToString(), ["kept"] = value.Kept }))),
        ["otherCores"] = measurement.OtherCores is { } other ? Math.Round(other, 2) : null,
        ["date"] = time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture),
        ["commit"] = machine.Commit,
        ["machine"] = new JsonObject
        {
            ["cores"] = machine.Cores,
            ["memoryMb"] = machine.MemoryMb,
            ["kernel"] = machine.Kernel,
            ["runtime"] = machine.Runtime,
            ["hostSettings"] = machine.HostSettings.DeepClone(),
        },
    };

    private static JsonObject Numbers(Measurement measurement, Func<MeasuredValue, double?> number) => new(
        from value in measurement.Values
        let found = number(value)
        where found is not null
        select KeyValuePair.Create<string, JsonNode?>(value.Name, Math.Round(found.Value, 3)));

    private static string Number(double? number) => number switch
    {
        null => "",
        >= 1000 => number.Value.ToString("#,0", CultureInfo.InvariantCulture),
        _ => number.Value.ToString("0.##", CultureInfo.InvariantCulture),
    };
}
