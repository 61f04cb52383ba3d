using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Silo.Contracts;

namespace Silo.Storage.Databases;

/// <summary>How organizations' databases live on a silo. Section <c>Database</c>.</summary>
public sealed class DatabaseOptions
{
    /// <summary>
    /// Where the files are while they are in use (<c>{id}/{epoch}/org-{id}.db</c>). A local disk, of one silo only; it need not
    /// survive the machine.
    /// </summary>
    [Required, RegularExpression("""^[^"\\$\n\r]+$""", ErrorMessage = "Database:DataDirectory must not contain quotes, backslashes, dollar signs or line ends.")]
    public string DataDirectory { get; set; } = "/tmp/silo";

    /// <summary>A database that had no request for this long is flushed and put away.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest that an activation (lease, restore, open) may take; then it is refused with <c>database_unavailable</c>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan ActivationTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The longest that the last upload may take when a database is put away. A file that it fails for is kept.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan FlushTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// For how long every state of an organization can be gone back to; the replicas of owners of before that are deleted. Within one
    /// owner's replica <c>Litestream:Retention</c> says the same.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan ReplicaRetention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long the snapshot of a copy stays in the bucket that came to nothing and was not asked for again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan AbandonedCopyRetention { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How many databases a silo holds at once; each costs a Litestream process. Beyond, one that is idle is put away first.</summary>
    [Range(1, 100_000)]
    public int MaxActive { get; set; } = 1_000;

    /// <summary>The used share of the machine's (or container's) memory from which on a silo puts an idle database away for each one that it opens.</summary>
    [Range(0.1, 1.0)]
    public double MaxMemoryUse { get; set; } = 0.9;

    /// <summary>How long a database must have been idle to be put away for another one.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan MinIdleToShed { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// For how long a database with commits that the bucket does not have stays on a silo that alone cannot reach the bucket and whose
    /// lease has run out. Then another silo serves what the bucket has, and the file stays where it is, set aside. One whose commits are
    /// all in the bucket leaves at once.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan CutOffPatience { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How many activations (lease, restore, open) a silo does at once; further ones wait.</summary>
    [Range(1, 1_000)]
    public int MaxConcurrentActivations { get; set; } = 8;

    /// <summary>How many reads of one database run side by side; each keeps a connection.</summary>
    [Range(1, 64)]
    public int MaxReaders { get; set; } = 4;

    /// <summary>How many reads of one database may wait; beyond, <c>too_many_requests</c>.</summary>
    [Range(1, 100_000)]
    public int MaxWaitingReads { get; set; } = 1_000;

    /// <summary>How many bytes of answers to reads each active database keeps, until a write changes what they say; 0 answers everything from the file.</summary>
    [Range(0, 1 << 30)]
    public int MaxCachedBytes { get; set; } = 1 << 20;

    /// <summary>How many writes of one database may wait; beyond, <c>too_many_requests</c>.</summary>
    [Range(1, 100_000)]
    public int MaxWaitingWrites { get; set; } = 1_000;

    /// <summary>How many writes of one database, waiting at the same time, share a commit; 1 gives each its own.</summary>
    [Range(1, 1_000)]
    public int MaxWritesPerCommit { get; set; } = 64;

    /// <summary>The longest that a write waits for the bucket to catch up (<c>Litestream:MaxLagBytes</c>); then <c>too_many_requests</c>.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan MaxWriteWait { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>What the writes of an organization wait for when neither the catalog nor the request says it.</summary>
    [EnumDataType(typeof(Durability))]
    public Durability DefaultDurability { get; set; } = Durability.Local;

    /// <summary>The wait before the next attempt after a failed activation: doubled each time, from this.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan RetryBackoff { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait before the next attempt.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan MaxRetryBackoff { get; set; } = TimeSpan.FromSeconds(30);
}

[OptionsValidator]
internal sealed partial class DatabaseOptionsValidator : IValidateOptions<DatabaseOptions>;
