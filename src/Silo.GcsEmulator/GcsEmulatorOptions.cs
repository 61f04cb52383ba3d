using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator;

/// <summary>How a <see cref="GcsEmulatorServer"/> runs.</summary>
public sealed class GcsEmulatorOptions : IValidatableObject
{
    /// <summary>The port on 127.0.0.1; 0 lets the system choose one.</summary>
    [Range(0, 65535)]
    public int Port { get; set; } = 4443;

    /// <summary>The folder that holds everything. It is created when needed (mode 0700) and belongs to one emulator at a time.</summary>
    [Required]
    public string DataDirectory { get; set; } = "";

    /// <summary>Buckets that exist from the start, created when they do not.</summary>
    public IList<string> Buckets { get; } = [];

    /// <summary>
    /// Waits for the disk at every write, so that a power cut loses nothing acknowledged either. Off by default, for tests: the death
    /// of the process alone never loses anything, and each wait costs milliseconds.
    /// </summary>
    public bool FlushToDisk { get; set; }

    /// <summary>The clock of generations, times and fault plans.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Where warnings go; nowhere by default.</summary>
    public ILoggerFactory LoggerFactory { get; set; } = NullLoggerFactory.Instance;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        from name in Buckets where !BucketName.IsValid(name) select new ValidationResult($"'{name}' is no bucket name.", [nameof(Buckets)]);
}

/// <summary>Checks <see cref="GcsEmulatorOptions"/> before a server starts.</summary>
[OptionsValidator]
internal sealed partial class GcsEmulatorOptionsValidator : IValidateOptions<GcsEmulatorOptions>;
