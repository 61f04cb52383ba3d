using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Cluster.Hosting;

/// <summary>How silos find each other. Section <c>Clustering</c>.</summary>
public sealed class ClusteringOptions
{
    /// <summary>Only <c>Localhost</c> for now: one silo.</summary>
    [Required, RegularExpression("^Localhost$", ErrorMessage = "Clustering:Provider must be Localhost.")]
    public string Provider { get; set; } = "Localhost";

    /// <summary>Names the cluster in heads in the bucket.</summary>
    [Required, RegularExpression("^[A-Za-z0-9_.-]{1,100}$")]
    public string ClusterId { get; set; } = "silo";

    /// <summary>Where other silos reach this one; 0 to let the system choose.</summary>
    [Range(0, 65535)]
    public int SiloPort { get; set; } = 11111;

    /// <summary>Where gateways reach this silo; 0 to let the system choose.</summary>
    [Range(0, 65535)]
    public int GatewayPort { get; set; } = 30000;
}

[OptionsValidator]
internal sealed partial class ClusteringOptionsValidator : IValidateOptions<ClusteringOptions>;
