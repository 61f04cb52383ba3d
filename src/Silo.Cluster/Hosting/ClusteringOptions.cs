using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;
using Silo.Contracts.Hosting;

namespace Silo.Cluster.Hosting;

/// <summary>How silos find each other. Section <c>Clustering</c>.</summary>
public sealed class ClusteringOptions : IValidatableObject
{
    /// <summary>Where silos are listed.</summary>
    [EnumDataType(typeof(ClusteringProvider))]
    public ClusteringProvider Provider { get; set; } = ClusteringProvider.Localhost;

    /// <summary>The database of <see cref="Provider"/>: <c>ConnectionStrings:Cluster</c>, or <c>ConnectionStrings:Catalog</c> where that is missing.</summary>
    public string? Connection { get; set; }

    /// <summary>Names the cluster in its database and in heads in the bucket; the same on all its silos and gateways.</summary>
    [Required, RegularExpression("^[A-Za-z0-9_.-]{1,100}$")]
    public string ClusterId { get; set; } = "silo";

    /// <summary>Where other silos reach this one; 0 to let the system choose.</summary>
    [Range(0, 65535)]
    public int SiloPort { get; set; } = 11111;

    /// <summary>Where gateways reach this silo; 0 to let the system choose.</summary>
    [Range(0, 65535)]
    public int GatewayPort { get; set; } = 30000;

    /// <summary>Where this silo listens for other silos if that is not <see cref="SiloPort"/>: behind an address translation, a port mapping or a proxy.</summary>
    [Range(1, 65535)]
    public int? ListeningSiloPort { get; set; }

    /// <summary>Where this silo listens for gateways if that is not <see cref="GatewayPort"/>.</summary>
    [Range(1, 65535)]
    public int? ListeningGatewayPort { get; set; }

    /// <summary>
    /// The IP address under which other machines reach this silo. Without one: loopback, and with <see cref="ClusteringProvider.Postgres"/>
    /// the first address of this machine. A loopback address is the only one that is then listened on; otherwise all are.
    /// </summary>
    public string? AdvertisedAddress { get; set; }

    /// <summary>Whether this silo runs in Kubernetes: it takes its addresses and the cluster's name from its pod, and looks after pods that are gone.</summary>
    public bool Kubernetes { get; set; }

    /// <summary>The time between two questions whether another silo lives. Four without an answer make it suspect; each is waited for up to four times as long when the machine is busy.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (ClusterDatabase.Problem(Provider, Connection) is { } problem) yield return new ValidationResult(problem, [nameof(Provider), nameof(Connection)]);
        if (AdvertisedAddress is not null && !IPAddress.TryParse(AdvertisedAddress, out _))
            yield return new ValidationResult($"Clustering:AdvertisedAddress ('{AdvertisedAddress}') is no IP address.", [nameof(AdvertisedAddress)]);
        if (ListeningSiloPort is not null && SiloPort == 0)
            yield return new ValidationResult("Clustering:ListeningSiloPort needs a Clustering:SiloPort that is known to whatever stands in front.", [nameof(ListeningSiloPort)]);
        if (ListeningGatewayPort is not null && GatewayPort == 0)
            yield return new ValidationResult("Clustering:ListeningGatewayPort needs a Clustering:GatewayPort that is known to whatever stands in front.", [nameof(ListeningGatewayPort)]);
    }
}

[OptionsValidator]
internal sealed partial class ClusteringOptionsValidator : IValidateOptions<ClusteringOptions>;
