namespace Silo.Benchmarks.Reporting;

/// <summary>One thing that was measured, of Silo and of the floor.</summary>
/// <param name="Name">What.</param>
/// <param name="Unit">Of all its values, unless a value's name says another one.</param>
internal sealed record Measurement(string Name, string Unit)
{
    private readonly List<MeasuredValue> _values = [];

    /// <summary>The values, in the order in which they are shown.</summary>
    public IReadOnlyList<MeasuredValue> Values => _values;

    /// <summary>How quiet the machine was: cores that processes outside the benchmark used, and other guests of the hardware.</summary>
    public double? OtherCores { get; init; }

    /// <summary>Adds a value.</summary>
    public Measurement With(string name, double? silo, double? floor = null, Limit? limit = null)
    {
        _values.Add(new MeasuredValue(name, silo, floor, limit));
        return this;
    }
}

/// <summary>One number of Silo, and of the floor beside it.</summary>
internal sealed record MeasuredValue(string Name, double? Silo, double? Floor, Limit? Limit)
{
    /// <summary>Whether the limit is kept; null without one.</summary>
    public bool? Kept => Limit is { } limit && Silo is { } value ? limit.Allows(value) : null;
}

/// <summary>What a number should be at most, or at least. Shown, and never a reason to fail: the machine may be the cause.</summary>
internal readonly record struct Limit(double Number, bool IsMost)
{
    public static Limit AtMost(double number) => new(number, true);

    public static Limit AtLeast(double number) => new(number, false);

    public bool Allows(double value) => IsMost ? value <= Number : value >= Number;

    public override string ToString() => $"{(IsMost ? "<=" : ">=")} {Number:0.##}";
}
