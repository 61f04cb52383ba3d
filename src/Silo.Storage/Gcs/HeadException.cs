using Silo.Contracts;

namespace Silo.Storage.Gcs;

/// <summary>An organization's head or replica is missing, damaged or of a newer version. Nothing is opened until an operator looked at it.</summary>
public sealed class HeadException(OrganizationId organization, string message, Exception? innerException = null)
    : Exception($"Organization {organization}: {message}", innerException);

/// <summary>Another owner wrote the head since this one did: this owner's epoch is over.</summary>
public sealed class HeadMovedException(OrganizationId organization, long epoch)
    : Exception($"Organization {organization}: the head was changed by another owner; epoch {epoch} is over.");
