using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Imports;

/// <summary>The bounds of bulk imports. Section <c>Imports</c>, the same in gateways and silos.</summary>
public sealed class ImportsOptions
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Imports";

    /// <summary>The largest file in bytes, as it is sent and again after it was inflated.</summary>
    [Range(1_024, 64L * 1024 * 1024 * 1024)]
    public long MaxBytes { get; set; } = 1024 * 1024 * 1024;

    /// <summary>The most rows that a file may have.</summary>
    [Range(1, 1_000_000_000)]
    public long MaxRows { get; set; } = 10_000_000;

    /// <summary>The longest row: bytes of a JSON object, characters of a CSV record. A contact with every field at its limit has about 12,000 characters.</summary>
    [Range(1_024, 16 * 1024 * 1024)]
    public int MaxRowBytes { get; set; } = 128 * 1024;

    /// <summary>How many files a gateway receives at once, each with <c>Gcs:UploadChunkBytes</c> of memory; the next is refused with <c>too_many_requests</c>.</summary>
    [Range(1, 1_000)]
    public int MaxReceiving { get; set; } = 8;

    /// <summary>How many of these one organization may send at once.</summary>
    [Range(1, 1_000)]
    public int MaxReceivingPerOrganization { get; set; } = 2;

    /// <summary>How many imports of one organization may wait for the one that runs; the next is refused with <c>import_in_progress</c>.</summary>
    [Range(0, 100)]
    public int MaxQueued { get; set; } = 3;

    /// <summary>How many imports a silo reads and merges at once; others wait.</summary>
    [Range(1, 64)]
    public int MaxConcurrent { get; set; } = 2;

    /// <summary>
    /// How often an import may fail in a way that nobody expected before it is over, with <c>unexpected_error</c>: a mistake of ours must not block
    /// the imports behind it. What is expected (the bucket, the disk, another owner) is waited for as long as it takes.
    /// </summary>
    [Range(1, 100)]
    public int MaxUnexpectedFailures { get; set; } = 5;

    /// <summary>How much of a database and its indexes a merge keeps in memory, in bytes.</summary>
    [Range(1024 * 1024, 1024 * 1024 * 1024)]
    public int MergeCacheBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>The most rows that go into a database on Turso in one transaction, which is one request. A file of more comes in several.</summary>
    [Range(1, 100_000)]
    public int TursoRows { get; set; } = 10_000;

    /// <summary>The most bytes of rows in such a request.</summary>
    [Range(64 * 1024, 64 * 1024 * 1024)]
    public int TursoBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>How long a file stays in the bucket that was sent and never accepted (its gateway ended).</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan StagedRetention { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How often a silo looks for imports that nobody goes on with, and for files that nobody accepted.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(10);
}

[OptionsValidator]
internal sealed partial class ImportsOptionsValidator : IValidateOptions<ImportsOptions>;
