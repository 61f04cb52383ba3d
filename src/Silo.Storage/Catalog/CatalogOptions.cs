using System.ComponentModel.DataAnnotations;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Catalog;

/// <summary>Where the catalog is; filled from <c>ConnectionStrings:Catalog</c> and the section <c>Catalog</c>.</summary>
public sealed class CatalogOptions
{
    /// <summary>
    /// A path of a file, or a SQLite connection string (<c>Data Source=...</c>). The file and its folder are made when there are none.
    /// </summary>
    [Required(ErrorMessage = "Set ConnectionStrings:Catalog to the path of the catalog's SQLite file, or to a SQLite connection string.")]
    [CustomValidation(typeof(CatalogOptions), nameof(ValidateConnection))]
    public string Connection { get; set; } = "";

    /// <summary>How long a call waits for another process to end its change of the catalog. 1 s to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Refuses what is no file of SQLite's.</summary>
    public static ValidationResult? ValidateConnection(string connection, ValidationContext context)
    {
        try
        {
            var settings = Parse(connection);
            return settings.DataSource.Length > 0 && settings.Mode != SqliteOpenMode.Memory && settings.DataSource != ":memory:"
                && !settings.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
                    ? ValidationResult.Success
                    : new ValidationResult("ConnectionStrings:Catalog must name a file by its path (Data Source=...).");
        }
        catch (ArgumentException unknown)
        {
            // The text itself may hold a password, so it is not repeated.
            return new ValidationResult($"ConnectionStrings:Catalog is no SQLite connection string ({unknown.Message}). Only SQLite catalogs are supported.");
        }
    }

    /// <summary>The connection string with every setting that is not given at this system's default.</summary>
    internal SqliteConnectionStringBuilder ToConnectionString()
    {
        var settings = Parse(Connection);
        settings.DataSource = Path.GetFullPath(settings.DataSource);
        settings.DefaultTimeout = (int)BusyTimeout.TotalSeconds;
        return settings;
    }

    private static SqliteConnectionStringBuilder Parse(string connection) => connection.Contains('=', StringComparison.Ordinal)
        ? new SqliteConnectionStringBuilder(connection)
        : new SqliteConnectionStringBuilder { DataSource = connection };
}

[OptionsValidator]
internal sealed partial class CatalogOptionsValidator : IValidateOptions<CatalogOptions>;
