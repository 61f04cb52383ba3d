using Silo.Contracts;

namespace Silo.Storage.Usage;

/// <summary>What the catalog knows of when an organization is used.</summary>
/// <param name="Organization">Whose.</param>
/// <param name="ChangedAt">Since when it is so, by the clock of the silo that added to it.</param>
/// <param name="Profile">The reader's own copy.</param>
public sealed record OrganizationUsage(OrganizationId Organization, DateTimeOffset ChangedAt, UsageProfile Profile);
