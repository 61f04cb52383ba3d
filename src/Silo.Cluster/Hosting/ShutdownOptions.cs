using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Silo.Storage.Databases;

namespace Silo.Cluster.Hosting;

/// <summary>How a silo leaves. Section <c>Shutdown</c>.</summary>
public sealed class ShutdownOptions
{
    /// <summary>
    /// The longest from SIGTERM to the end of the process. All databases are flushed side by side within it, each within
    /// <c>Database:FlushTimeout</c>; it must be at least a minute longer than that, and the orchestrator's grace period longer than it.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:05", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(2);
}

/// <summary>Checks <see cref="ShutdownOptions"/> against what has to happen within it.</summary>
internal sealed class ShutdownRules(IOptions<DatabaseOptions> databases) : IValidateOptions<ShutdownOptions>
{
    public ValidateOptionsResult Validate(string? name, ShutdownOptions options)
    {
        if (new ShutdownOptionsValidator().Validate(name, options) is { Failed: true } broken) return broken;
        var least = databases.Value.FlushTimeout + SiloHosting.StopMargin + SiloHosting.StopMargin;
        return options.Timeout >= least
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"Shutdown:Timeout ({options.Timeout}) must be at least {least}: Database:FlushTimeout ({databases.Value.FlushTimeout}) and a minute.");
    }
}

[OptionsValidator]
internal sealed partial class ShutdownOptionsValidator : IValidateOptions<ShutdownOptions>;
