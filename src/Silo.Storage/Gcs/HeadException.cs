using Silo.Contracts;

namespace Silo.Storage.Gcs;

/// <summary>An organization's head or replica is missing, damaged or of a newer version. Nothing is opened until an operator looked at it.</summary>
public sealed class HeadException(OrganizationId organization, string message, Exception? innerException = null)
    : Exception($"Organization {organization}: {message}", innerException);

/// <summary>Another owner wrote the head since this one did: this owner's epoch is over.</summary>
public sealed class HeadMovedException(OrganizationId organization, string what)
    : Exception($"Organization {organization}: {what}.")
{
    internal static HeadMovedException By(OrganizationId organization, OrganizationHead? found) => new(
        organization,
        found is null
            ? "the head is gone; restore that object"
            : $"silo {found.Owner.Silo} of cluster {found.Owner.ClusterId} has it in epoch {found.Epoch} ({found.State}); the epoch of this owner is over");
}
