using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Silo.Contracts;

namespace Silo.Storage.Litestream;

/// <summary>How each organization's Litestream runs. Section <c>Litestream</c>.</summary>
public sealed class LitestreamOptions
{
    /// <summary>The binary; null to look in PATH and then beside the program (<see cref="LitestreamBinary"/>).</summary>
    public string? Path { get; set; }

    /// <summary>The SHA-256 that the binary must have, in hexadecimal digits; null to know only the copy of the build.</summary>
    [RegularExpression("^[0-9A-Fa-f]{64}$", ErrorMessage = "Litestream:Sha256 must be 64 hexadecimal digits.")]
    public string? Sha256 { get; set; }

    /// <summary>The template of its configuration; a relative path is taken from the program's folder.</summary>
    [Required]
    public string ConfigurationTemplate { get; set; } = "config/litestream-single-db.yml";

    /// <summary>The template as a full path.</summary>
    public string TemplatePath => System.IO.Path.GetFullPath(ConfigurationTemplate, AppContext.BaseDirectory);

    /// <summary>
    /// How often it looks for changes. Every look costs about a millisecond of CPU, so this decides the idle CPU of many databases.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan MonitorInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The shortest time between two uploads. An upload of a few rows costs Litestream about 8 ms of CPU, nearly all of it for
    /// clearing its buffers (16 MB of Google's client, 8 MB of LZ4): with 100 databases written all the time, uploads every
    /// second take most of a core, every two seconds half of that.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan SyncInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// <see cref="MonitorInterval"/> of an organization whose durability is <c>replicated</c>: every one of its writes waits for a
    /// look, half of this on average. Each look costs about half a millisecond of CPU, also while nobody writes.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan ReplicatedMonitorInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// <see cref="SyncInterval"/> of an organization whose durability is <c>replicated</c>. It may be short: what nobody has
    /// written is not uploaded, and writes that wait at the same time share one upload.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan ReplicatedSyncInterval { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// <c>nice(1)</c> of the process and of its scheduling group: when the CPU is short, requests go first and uploads come less
    /// often, each with more in it. With 100 databases written all the time on two slow cores, 19 let 3,300 inserts a second
    /// through, 10 let 300, and a group that was left at 0 let 100.
    /// </summary>
    [Range(0, 19)]
    public int Niceness { get; set; } = 19;

    /// <summary>
    /// How often it uploads a whole snapshot of a database that stays active. A restore reads the segments since then one after
    /// another (1,503 of them took 68 s with 40 ms a request), so this bounds its time.
    /// </summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan SnapshotInterval { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long it keeps what a newer snapshot has replaced, within one activation's prefix.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// WAL frames (pages) at which Litestream checkpoints and the writer holds its next commit meanwhile. More frames: fewer
    /// holds, a larger WAL on disk (84 MB at the default in files that were made here, whose pages have 1 KB; four times that in one
    /// with pages of 4 KB), and more to apply at a restore.
    /// </summary>
    [Range(100, 1_000_000)]
    public int CheckpointPages { get; set; } = 80_000;

    /// <summary>The longest hold of a commit at a checkpoint; then the write is refused with <c>too_many_requests</c>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan CheckpointWait { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long after a database was opened its <c>local</c> writes wait for its generation to be published. After that they go
    /// on: their rows are safe on this machine, and in the bucket once the generation is published.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan PublishWait { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The longest that a <c>replicated</c> write waits for the bucket; then <c>durability_unavailable</c>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan ReplicatedWait { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long commits may wait for the bucket without a sign of progress. After a third of it Litestream is poked (a mark in the
    /// database, since it tries a failed upload again only at the next change); after all of it, it is started again.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:05", "01:00:00")]
    public TimeSpan MaxLag { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How many bytes of commits may wait for the bucket. From half of it on, each write is delayed; at the limit it waits for the
    /// bucket, at most <c>Database:MaxWriteWait</c>. This also bounds the disk that an unreachable bucket costs.
    /// </summary>
    [Range(typeof(long), "65536", "17179869184")]
    public long MaxLagBytes { get; set; } = 64L << 20;

    /// <summary>
    /// How many processes a silo starts again at a time because the bucket fell behind. Each uploads a whole snapshot, so doing
    /// all at once would make an overloaded machine slower still.
    /// </summary>
    [Range(1, 1_000)]
    public int MaxConcurrentRestarts { get; set; } = 2;

    /// <summary>How often the process of an organization of this durability looks for changes.</summary>
    public TimeSpan MonitorIntervalOf(Durability durability) => durability == Durability.Replicated ? ReplicatedMonitorInterval : MonitorInterval;

    /// <summary>How often the process of an organization of this durability uploads, at most.</summary>
    public TimeSpan SyncIntervalOf(Durability durability) => durability == Durability.Replicated ? ReplicatedSyncInterval : SyncInterval;

    /// <summary>How long a stop may take before the process is killed.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The wait before a restart of a process that died: doubled each time, from this.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan RestartBackoff { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait before a restart.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan MaxRestartBackoff { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// <c>GOGC</c> of the process: how much its heap may grow, in percent, before it is collected. Lower saves memory for CPU: an upload
    /// of a few rows takes 9.6 ms of CPU at 25, 8.4 at 50 and 7.8 at 100, and a process that uploads all the time 41, 41 and 58 MB.
    /// </summary>
    [Range(5, 400)]
    public int GoGarbagePercent { get; set; } = 50;

    /// <summary><c>GOMEMLIMIT</c> of the process, in MiB: above it, Go collects harder; 0 for none.</summary>
    [Range(0, 4096)]
    public int GoMemoryLimitMiB { get; set; }

    /// <summary><c>GOMAXPROCS</c> of the process: 1 spares the idle threads that hundreds of processes would wake.</summary>
    [Range(1, 64)]
    public int GoMaxProcs { get; set; } = 1;
}

[OptionsValidator]
internal sealed partial class LitestreamOptionsValidator : IValidateOptions<LitestreamOptions>;
