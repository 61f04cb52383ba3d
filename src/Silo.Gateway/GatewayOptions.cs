using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Silo.Gateway.Limits;

namespace Silo.Gateway;

/// <summary>The bounds of one gateway (section <c>Gateway</c>).</summary>
public sealed class GatewayOptions : IValidatableObject
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Gateway";

    /// <summary>
    /// Largest request body in bytes; imports have a limit of their own. A contact with every field at its limit is about 11,000
    /// characters, at most three bytes each, or six when escaped; the rest is for blanks.
    /// </summary>
    [Range(1_024, 16_777_216)]
    public long MaxContactBytes { get; set; } = 131_072;

    /// <summary>
    /// How long a process that is told to stop waits for the requests that it has, before it closes their connections. It has all of
    /// <c>Shutdown:Timeout</c> left after that to put databases away.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Requests that run at once in this process.</summary>
    [Range(1, 100_000)]
    public int MaxConcurrentRequests { get; set; } = 2_048;

    /// <summary>Requests that may wait for one of those to end; the next is refused with 429.</summary>
    [Range(0, 100_000)]
    public int MaxQueuedRequests { get; set; } = 1_024;

    /// <summary>Requests of one organization that run at once: one that waits for its restore must leave room for the others.</summary>
    [Range(1, 100_000)]
    public int MaxConcurrentRequestsPerOrganization { get; set; } = 512;

    /// <summary>Requests of one organization that may wait for one of those to end.</summary>
    [Range(0, 100_000)]
    public int MaxQueuedRequestsPerOrganization { get; set; } = 256;

    /// <summary>Open connections; the next is closed at once.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>Largest request header block in bytes; a token is the largest thing in it.</summary>
    [Range(4_096, 131_072)]
    public int MaxHeaderBytes { get; set; } = 32_768;

    /// <summary>How long a client may take to send its header block.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan HeadersTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Slowest body that is still read, in bytes per second (after five seconds of grace).</summary>
    [Range(1, 1_000_000)]
    public double MinBodyBytesPerSecond { get; set; } = 240;

    /// <summary>
    /// For how long a call whose organization is just moving to another silo is tried again before its caller is told; zero for not at
    /// all. A write that may have happened is repeated in a form that happens once at most, or leaves the same.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan RetryFor { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The slowest client that an export is still sent to, in bytes per second; a slower one finds its transfer broken off.</summary>
    [Range(1, 1_073_741_824)]
    public int MinExportBytesPerSecond { get; set; } = 65_536;

    /// <summary>
    /// The proxies in front of this gateway, as addresses or networks (<c>127.0.0.1</c>, <c>::1/128</c>): what they say in <c>X-Forwarded-For</c>
    /// is whom a request comes from. With none, which is the default, nobody is believed.
    /// </summary>
    [MaxLength(100)]
    public IList<string> TrustedProxies { get; } = [];

    /// <summary>The only local port that answers <c>/metrics</c>; 0 for every port that the gateway listens on.</summary>
    [Range(0, 65_535)]
    public int MetricsPort { get; set; }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var proxy in TrustedProxies)
        {
            if (!ForwardedSource.TryParse(proxy, out _)) yield return new ValidationResult($"Gateway:TrustedProxies has '{proxy}', which is neither an address nor a network.", [nameof(TrustedProxies)]);
        }
    }
}

[OptionsValidator]
internal sealed partial class GatewayOptionsValidator : IValidateOptions<GatewayOptions>;
