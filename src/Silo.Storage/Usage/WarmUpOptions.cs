using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Usage;

/// <summary>What is opened before somebody asks for it, and for how long what is idle stays open; configuration section <c>WarmUp</c>.</summary>
public sealed class WarmUpOptions
{
    /// <summary>Whether it is recorded when organizations are used. Without it, nothing else here does anything.</summary>
    public bool Record { get; set; } = true;

    /// <summary>How often a silo writes that down in the catalog; what it did not write when it ends is lost. 1 s to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan RecordInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>After how long without use an organization's record is deleted. 1 to 3,650 days.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>How many of the most used organizations a cluster opens when a silo joins or leaves. 0 (none) to 1,000.</summary>
    [Range(0, 1_000)]
    public int MostUsed { get; set; } = 50;

    /// <summary>How long after its start a silo begins with that. 0 to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan StartDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many databases a silo opens ahead in a second. 0.1 to 100.</summary>
    [Range(0.1, 100)]
    public double MaxPerSecond { get; set; } = 5;

    /// <summary>Up to which share of <c>Database:MaxActive</c> a silo is filled with what nobody has asked for yet. 0.01 to 1.</summary>
    [Range(0.01, 1)]
    public double MaxFill { get; set; } = 0.5;

    /// <summary>Whether organizations that come back at regular times are opened shortly before.</summary>
    public bool Predict { get; set; }

    /// <summary>How often it is looked for who is due, and for silos that came or went. 1 s to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan LookInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long before the earliest time at which it is expected an organization is opened. 0 to 30 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:30:00")]
    public TimeSpan Lead { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Whether each organization has an idle time-out of its own, by how long its pauses are; until enough of them are known, and otherwise,
    /// it is <c>Database:IdleTimeout</c>.
    /// </summary>
    public bool AdaptiveIdle { get; set; }

    /// <summary>The shortest idle time-out of an organization. 1 s to 1 h, and at most <see cref="MaxIdle"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan MinIdle { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest idle time-out of an organization, and the longest that one is kept that was opened ahead. 1 min to 1 day.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "1.00:00:00")]
    public TimeSpan MaxIdle { get; set; } = TimeSpan.FromHours(1);

    /// <summary>For how long a database may be kept open to save one cold start: the more, the fewer cold starts and the more open databases. 1 min to 1 day.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "1.00:00:00")]
    public TimeSpan ColdStartWorth { get; set; } = TimeSpan.FromMinutes(19);

    /// <summary>The most organizations whose usage a silo has in memory, at about 6 KB each. 1,000 to 1,000,000.</summary>
    [Range(1_000, 1_000_000)]
    public int MaxKnown { get; set; } = 10_000;

    /// <summary>What these say of when an organization comes back.</summary>
    public UsageForecast Forecast() => new(ColdStartWorth, MinIdle, MaxIdle, Lead);
}

[OptionsValidator]
internal sealed partial class WarmUpOptionsValidator : IValidateOptions<WarmUpOptions>;

/// <summary>What one option alone does not say.</summary>
internal sealed class WarmUpRules : IValidateOptions<WarmUpOptions>
{
    public ValidateOptionsResult Validate(string? name, WarmUpOptions options)
    {
        if (options.MinIdle > options.MaxIdle) return ValidateOptionsResult.Fail("WarmUp:MinIdle must be at most WarmUp:MaxIdle.");
        return !options.Record && (options.Predict || options.AdaptiveIdle)
            ? ValidateOptionsResult.Fail("WarmUp:Predict and WarmUp:AdaptiveIdle need WarmUp:Record: nothing is known of an organization whose use is not recorded.")
            : ValidateOptionsResult.Success;
    }
}
