using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Migration;

/// <summary>How databases move from Turso to SQLite; configuration section <c>Migration</c>.</summary>
public sealed class MigrationOptions
{
    /// <summary>The most rows that are compared and replaced at once. 1 to 100,000.</summary>
    [Range(1, 100_000)]
    public int ChunkRows { get; set; } = 2_000;

    /// <summary>The most bytes of rows that are in memory at once, beside the last row. 4 KiB to 64 MiB.</summary>
    [Range(4 * 1024, 64 * 1024 * 1024)]
    public int ChunkBytes { get; set; } = 2 * 1024 * 1024;

    /// <summary>How many times in a row reading a table may fail without a new row before the migration is given up. 1 to 100.</summary>
    [Range(1, 100)]
    public int MaxReadFailures { get; set; } = 5;

    /// <summary>How long the wait after a failed read is. 1 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan ReadRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest that writes of an organization are refused; then its migration is given up. 1 s to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan MaxFreeze { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many migrations a silo does at once; further ones wait. 1 to 64.</summary>
    [Range(1, 64)]
    public int MaxConcurrent { get; set; } = 4;

    /// <summary>How often a migration says in the catalog that it goes on. 100 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan RenewInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>When a migration that says nothing is given up for dead, and writes are let in again. 500 ms to 10 min, and at least three times <see cref="RenewInterval"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan DeadAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>For how long after its move an organization can go back to Turso. 0 to 10 years; what Turso itself keeps for shorter cannot be gone back to.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan RollbackWithin { get; set; } = TimeSpan.FromDays(30);
}

[OptionsValidator]
internal sealed partial class MigrationOptionsValidator : IValidateOptions<MigrationOptions>;

/// <summary>What one option alone does not say.</summary>
internal sealed class MigrationRules : IValidateOptions<MigrationOptions>
{
    private const int RenewalsUntilDead = 3;

    public ValidateOptionsResult Validate(string? name, MigrationOptions options) => options.DeadAfter >= RenewalsUntilDead * options.RenewInterval
        ? ValidateOptionsResult.Success
        : ValidateOptionsResult.Fail($"Migration:DeadAfter must be at least {RenewalsUntilDead} times Migration:RenewInterval; otherwise one slow answer of the catalog ends a migration.");
}
