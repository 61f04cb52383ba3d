using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Silo.Contracts.Hosting;

namespace Silo.Gateway.Clustering;

/// <summary>How the gateway finds its silos (section <c>Clustering</c>).</summary>
public sealed class ClusteringOptions : IValidatableObject
{
    /// <summary>The section of the configuration.</summary>
    public const string Section = "Clustering";

    /// <summary>Where the silos are listed.</summary>
    [EnumDataType(typeof(ClusteringProvider))]
    public ClusteringProvider Provider { get; set; } = ClusteringProvider.Localhost;

    /// <summary>The database of <see cref="Provider"/>: <c>ConnectionStrings:Cluster</c>, or <c>ConnectionStrings:Catalog</c> where that is missing.</summary>
    public string? Connection { get; set; }

    /// <summary>With <see cref="ClusteringProvider.Localhost"/>, the port on which the silo takes clients.</summary>
    [Range(1, 65_535)]
    public int GatewayPort { get; set; } = 30_000;

    /// <summary>Names the cluster, as on its silos; silos and gateways of another name are not talked to.</summary>
    [Required]
    public string ClusterId { get; set; } = "silo";

    /// <summary>How long to wait between two tries to reach the cluster.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan ConnectionRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How often the list of silos is read anew.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan SiloListRefresh { get; set; } = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (ClusterDatabase.Problem(Provider, Connection) is { } problem) yield return new ValidationResult(problem, [nameof(Provider), nameof(Connection)]);
    }
}

[OptionsValidator]
internal sealed partial class ClusteringOptionsValidator : IValidateOptions<ClusteringOptions>;
