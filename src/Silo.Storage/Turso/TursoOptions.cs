using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Turso;

/// <summary>How databases on Turso are reached; configuration section <c>Turso</c>.</summary>
public sealed class TursoOptions
{
    /// <summary>The token of every organization that has no secret of its own; null when the servers ask for none. Never logged.</summary>
    [RegularExpression("^[!-~]{1,8192}$", ErrorMessage = "Turso:AuthToken has characters that no token has, or more than 8192 of them.")]
    public string? AuthToken { get; set; }

    /// <summary>
    /// The folder in which a secret that an organization refers to is a file of that name, as orchestrators mount them. A file that changed
    /// is read again when the server refuses the token that we had.
    /// </summary>
    public string? SecretsDirectory { get; set; }

    /// <summary>How long one request may take, from its start to the last byte of its answer; for a cursor the time without a byte. 0.05 s to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:10:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a request may take with all its repetitions. 0.05 s to 30 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:30:00")]
    public TimeSpan TotalTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long making a connection may take. 0.05 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How many times a request is repeated that certainly was not executed, or changes nothing. 0 to 10.</summary>
    [Range(0, 10)]
    public int Retries { get; set; } = 3;

    /// <summary>About how long the wait before the first repetition is; it doubles each time, with jitter. 1 ms to 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait before a repetition; a server that asks for a longer one (<c>Retry-After</c>) is not asked again. 1 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The largest answer that is taken into memory, in bytes of JSON. 1 KiB to 1 GiB.</summary>
    [Range(1024, 1024 * 1024 * 1024)]
    public int MaxAnswerBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>The most rows of one answer; more need a cursor. 1 to 1,000,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxRows { get; set; } = 10_000;

    /// <summary>The largest row of a cursor, in bytes of JSON. 1 KiB to 1 GiB.</summary>
    [Range(1024, 1024 * 1024 * 1024)]
    public int MaxRowBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>The most connections to one server; more requests wait for one, within their time. 1 to 1,000.</summary>
    [Range(1, 1000)]
    public int MaxConnections { get; set; } = 64;
}

[OptionsValidator]
internal sealed partial class TursoOptionsValidator : IValidateOptions<TursoOptions>;
