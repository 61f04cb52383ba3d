using Silo.Contracts.Migration;
using Silo.Storage.Sqlite;

namespace Silo.Storage.Migration;

/// <summary>What became of an organization's database since it was moved from Turso.</summary>
internal static class MovedDatabase
{
    /// <summary>Compares what was brought from Turso, which is kept in the file, with what is there now.</summary>
    /// <param name="path">A copy that nobody writes to.</param>
    public static WritesSinceMove ChangesSinceMove(string path)
    {
        using var connection = OrgConnection.OpenSource(path);
        var (added, changed, removed) = LegacyContacts.ChangesSince(connection);
        var kept = connection.Scalar<long>($"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{SchemaWriting.KeptAudit}'") > 0
            ? connection.Scalar<long>($"SELECT count(*) FROM {SchemaWriting.KeptAudit}")
            : 0;
        return new WritesSinceMove(added, changed, removed, connection.Scalar<long>($"SELECT count(*) FROM {SchemaWriting.Audit}") - kept);
    }
}
