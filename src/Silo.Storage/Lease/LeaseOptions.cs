using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Lease;

/// <summary>For how long an owner holds an organization. Section <c>Lease</c>; the same in every cluster that shares a bucket.</summary>
public sealed class LeaseOptions : IValidatableObject
{
    /// <summary>For how long after its last renewal, by the bucket's clock, nobody else takes an organization.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest time between two renewals; each comes up to a fifth earlier, so that those of many organizations spread.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:30:00")]
    public TimeSpan RenewInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long before its end, by its own monotonic clock, an owner stops writing. It covers clocks that run at different speeds,
    /// and what Litestream of an owner that is cut off still has to upload.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:30:00")]
    public TimeSpan SafetyMargin { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the Litestream of a silo that was killed may go on uploading before its organization is taken early.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainTime { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether a silo that its cluster has declared dead loses its organizations <see cref="DrainTime"/> later, and not only when their
    /// leases end. What the bucket has is safe either way. A silo that is declared dead and lives (cut off from the others, and not from
    /// its callers) can answer local writes until its next renewal that then do not count; with <c>false</c> it cannot.
    /// </summary>
    public bool TrustMembership { get; set; } = true;

    /// <summary>How often a silo looks for leases that dead owners left, and gives them back. Each look comes up to a fifth earlier.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>For how long a lease must have run out before it is given back in its dead owner's place: whoever wants the organization takes it sooner by itself.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SweepAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (RenewInterval + SafetyMargin >= TimeToLive)
        {
            yield return new ValidationResult(
                $"Lease:RenewInterval ({RenewInterval}) and Lease:SafetyMargin ({SafetyMargin}) must together be less than Lease:TimeToLive ({TimeToLive}), or an owner would stop writing before it renews.",
                [nameof(RenewInterval), nameof(SafetyMargin), nameof(TimeToLive)]);
        }
    }
}

[OptionsValidator]
internal sealed partial class LeaseOptionsValidator : IValidateOptions<LeaseOptions>;
