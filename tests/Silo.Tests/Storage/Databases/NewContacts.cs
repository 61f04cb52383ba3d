using Silo.Contracts.Contacts;
using Silo.Storage.Databases;

namespace Silo.Tests.Storage.Databases;

/// <summary>Adds contacts as a gateway does, each under an id of its own.</summary>
internal static class NewContacts
{
    public static Task<CommittedContact> CreateAsync(this IOrgDatabase database, ContactFields fields, CancellationToken cancellationToken) =>
        database.CreateAsync(Guid.CreateVersion7().ToString(), fields, cancellationToken);
}
