using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Gateway.Clustering;

/// <summary>How the gateway finds its silos (section <c>Clustering</c>).</summary>
public sealed class ClusteringOptions
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Clustering";

    /// <summary>Where the silos are listed.</summary>
    public ClusteringProvider Provider { get; set; } = ClusteringProvider.Localhost;

    /// <summary>With <see cref="ClusteringProvider.Localhost"/>, the port on which the silo takes clients.</summary>
    [Range(1, 65_535)]
    public int GatewayPort { get; set; } = 30_000;

    /// <summary>Names the cluster, as on its silos; silos and gateways of another name are not talked to.</summary>
    [Required]
    public string ClusterId { get; set; } = "silo";

    /// <summary>How long to wait between two tries to reach the cluster.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan ConnectionRetryDelay { get; set; } = TimeSpan.FromSeconds(1);
}

/// <summary>Where the silos of a cluster are listed.</summary>
public enum ClusteringProvider
{
    /// <summary>Nowhere: one silo on this machine.</summary>
    Localhost,
}

[OptionsValidator]
internal sealed partial class ClusteringOptionsValidator : IValidateOptions<ClusteringOptions>;
