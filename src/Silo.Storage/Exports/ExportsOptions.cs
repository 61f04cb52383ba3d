using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Exports;

/// <summary>The bounds of exports. Section <c>Exports</c>.</summary>
public sealed class ExportsOptions
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Exports";

    /// <summary>How many exports a silo makes or holds at once, each with a file as large as its database; the next is refused with <c>too_many_requests</c>.</summary>
    [Range(1, 100)]
    public int MaxConcurrent { get; set; } = 2;

    /// <summary>Bytes of the silo's disk that exports leave to the databases; one that would take more is refused with <c>database_unavailable</c>.</summary>
    [Range(0, 1L << 50)]
    public long KeepFreeBytes { get; set; } = 1024 * 1024 * 1024;

    /// <summary>
    /// How long a write may wait for an export, which keeps the WAL from being reset; then the export is given up. Below
    /// <c>Litestream:CheckpointWait</c>, so that the write succeeds.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:00:30")]
    public TimeSpan MaxWriteHold { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long the file stays that nobody asks for any more: its gateway ended. Longer than the slowest client takes for 256 KiB
    /// (<c>Gateway:MinExportBytesPerSecond</c>, and half a minute of patience).
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "01:00:00")]
    public TimeSpan Expiry { get; set; } = TimeSpan.FromMinutes(2);
}

[OptionsValidator]
internal sealed partial class ExportsOptionsValidator : IValidateOptions<ExportsOptions>;
