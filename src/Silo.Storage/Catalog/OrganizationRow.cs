using System.Data.Common;
using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Organizations;

namespace Silo.Storage.Catalog;

/// <summary>How a row of the catalog becomes an <see cref="Organization"/>.</summary>
internal static class OrganizationRow
{
    /// <summary>Selects what <see cref="Read"/> reads; the table is <c>o</c>.</summary>
    public const string Select = """
        SELECT o.id, o.name, COALESCE(o.db_type, 'turso'), s.turso_url, o.gcs_bucket_name, o.gcs_replica_path,
               o.is_db_provisioning, s.durability, s.created_at, s.turso_secret
        FROM organizations o LEFT JOIN organization_settings s ON s.organization_id = o.id
        """;

    /// <summary>The row that the reader is at; null when its id is none of this system's.</summary>
    /// <param name="reader">At a row.</param>
    /// <param name="byDefault">The durability of a row that does not say.</param>
    public static Organization? Read(DbDataReader reader, Durability byDefault) => OrganizationId.TryParse(Text(reader, 0), out var id)
        ? new Organization
        {
            Id = id,
            Name = Text(reader, 1) ?? "",
            DbType = Text(reader, 2) == Column(OrganizationDbType.Sqlite) ? OrganizationDbType.Sqlite : OrganizationDbType.Turso,
            TursoUrl = Text(reader, 3),
            GcsBucketName = Text(reader, 4),
            GcsReplicaPath = Text(reader, 5),
            IsDbProvisioning = !reader.IsDBNull(6) && Convert.ToInt64(reader.GetValue(6), CultureInfo.InvariantCulture) != 0,
            Durability = Text(reader, 7) is { } durability ? durability == Column(Durability.Replicated) ? Durability.Replicated : Durability.Local : byDefault,
            CreatedAt = Time(Text(reader, 8)),
            TursoSecret = Text(reader, 9),
        }
        : null;

    /// <summary>The value of the column <c>db_type</c>.</summary>
    public static string Column(OrganizationDbType dbType) => dbType switch
    {
        OrganizationDbType.Turso => "turso",
        OrganizationDbType.Sqlite => "sqlite",
        _ => throw new ArgumentOutOfRangeException(nameof(dbType), dbType, "No such kind of database."),
    };

    /// <summary>The value of the column <c>durability</c>.</summary>
    public static string Column(Durability durability) => durability switch
    {
        Durability.Local => "local",
        Durability.Replicated => "replicated",
        _ => throw new ArgumentOutOfRangeException(nameof(durability), durability, "No such durability."),
    };

    /// <summary>The value of the column <c>created_at</c>.</summary>
    public static string Column(DateTimeOffset time) => time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);

    private static string? Text(DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    // A time that the older system wrote in some other form is no reason to refuse its row.
    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time : null;
}
