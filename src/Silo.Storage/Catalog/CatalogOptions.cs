using System.ComponentModel.DataAnnotations;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Catalog;

/// <summary>Where the catalog is; filled from <c>ConnectionStrings:Catalog</c> and the section <c>Catalog</c>.</summary>
public sealed class CatalogOptions
{
    /// <summary>
    /// A path of a file, a SQLite connection string (<c>Data Source=...</c>; the file and its folder are made when there are none), or
    /// one of PostgreSQL (<c>Host=...;Database=...;Username=...</c>).
    /// </summary>
    [Required(ErrorMessage = "Set ConnectionStrings:Catalog to the path of the catalog's SQLite file, or to a connection string of SQLite or PostgreSQL (Host=...).")]
    [CustomValidation(typeof(CatalogOptions), nameof(ValidateConnection))]
    public string Connection { get; set; } = "";

    /// <summary>How long a call waits for another process to end its change of the catalog. 1 s to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Refuses what is neither a file of SQLite's nor a database of PostgreSQL.</summary>
    public static ValidationResult? ValidateConnection(string connection, ValidationContext context)
    {
        try
        {
            if (PostgresDatabase.IsMeantBy(connection))
            {
                PostgresDatabase.Parse(connection);
                return ValidationResult.Success;
            }
            var settings = SqliteDatabase.Parse(connection);
            return settings.DataSource.Length > 0 && settings.Mode != SqliteOpenMode.Memory && settings.DataSource != ":memory:"
                && !settings.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
                    ? ValidationResult.Success
                    : new ValidationResult("ConnectionStrings:Catalog must name a file by its path (Data Source=...), or a database of PostgreSQL (Host=...).");
        }
        catch (Exception unknown) when (unknown is ArgumentException or FormatException)
        {
            // The text itself may hold a password, so it is not repeated.
            return new ValidationResult($"ConnectionStrings:Catalog is no connection string of SQLite or PostgreSQL ({unknown.Message}).");
        }
    }
}

[OptionsValidator]
internal sealed partial class CatalogOptionsValidator : IValidateOptions<CatalogOptions>;
