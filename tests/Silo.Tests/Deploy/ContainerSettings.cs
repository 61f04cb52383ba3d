using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.RegularExpressions;
using Silo.Gateway;
using Silo.Gateway.Authentication;
using Silo.Storage.Catalog;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;
using Silo.Storage.Lease;
using Silo.Storage.Litestream;
using Silo.Tests.Architecture;

namespace Silo.Tests.Deploy;

/// <summary>The environment of a container of ours, against the options that it is read into and the promises of the README.</summary>
internal static partial class ContainerSettings
{
    // README, Numbers: an organization that is written once a second, with its Litestream.
    private const long BytesOfActiveDatabase = 45_000_000;
    private const long BytesOfSilo = 512L << 20;

    // README, Operations, Stop: the last upload, and one minute more.
    private static readonly TimeSpan StopMargin = TimeSpan.FromMinutes(1);

    private static readonly Dictionary<string, Type[]> Sections = new()
    {
        ["Auth"] = [typeof(AuthOptions)],
        ["Catalog"] = [typeof(CatalogOptions)],
        ["Clustering"] = [typeof(Silo.Cluster.Hosting.ClusteringOptions), typeof(Silo.Gateway.Clustering.ClusteringOptions)],
        ["Database"] = [typeof(DatabaseOptions)],
        ["Gateway"] = [typeof(GatewayOptions)],
        ["Gcs"] = [typeof(GcsOptions)],
        ["Imports"] = [typeof(ImportsOptions)],
        ["Lease"] = [typeof(LeaseOptions)],
        ["Litestream"] = [typeof(LitestreamOptions)],
        ["Shutdown"] = [typeof(Silo.Cluster.Hosting.ShutdownOptions)],
        ["Telemetry"] = [typeof(GatewayOptions).Assembly.GetType("Silo.Telemetry.TelemetryOptions", throwOnError: true)!],
    };

    private static readonly Dictionary<string, string> OtherNames = new()
    {
        ["GCS_BUCKET_NAME"] = "Gcs__BucketName",
        ["STORAGE_EMULATOR_HOST"] = "Gcs__EmulatorHost",
    };

    // Read by .NET, by OpenTelemetry and by Microsoft.Orleans.Hosting.Kubernetes.
    private static readonly string[] Foreign =
        ["DOTNET_GCHeapHardLimitPercent", "OTEL_EXPORTER_OTLP_ENDPOINT", "POD_IP", "POD_NAME", "POD_NAMESPACE", "ORLEANS_CLUSTER_ID", "ORLEANS_SERVICE_ID"];

    /// <summary>What is wrong with a variable; null if nothing is.</summary>
    public static string? Problem(string name, string? value)
    {
        if (Foreign.Contains(name)) return null;
        if (name.StartsWith("ConnectionStrings__", StringComparison.Ordinal))
        {
            if (name is not ("ConnectionStrings__Catalog" or "ConnectionStrings__Cluster")) return $"{name}: there is no such connection";
            return value is null || PostgresConnection().IsMatch(value) ? null : $"{name} is no connection to PostgreSQL";
        }
        var key = OtherNames.GetValueOrDefault(name, name).Split("__");
        var options = key.Length == 2
            ? Sections.GetValueOrDefault(key[0], []).Select(type => type.GetProperty(key[1])).OfType<PropertyInfo>().ToList()
            : [];
        if (options.Count == 0) return $"{name}: there is no such setting";
        // What is not known here.
        if (value is null || value.Contains("${", StringComparison.Ordinal)) return null;
        return options.Select(option => Refusal(name, option, value)).FirstOrDefault(refusal => refusal is not null);
    }

    /// <summary>A silo's grace period must cover its stop, its memory the databases that it may hold.</summary>
    public static void AssertSiloFits(Func<string, string?> setting, TimeSpan grace, long memory)
    {
        var defaults = new DatabaseOptions();
        var flush = setting("Database__FlushTimeout") is { } text ? TimeSpan.Parse(text) : defaults.FlushTimeout;
        var shutdown = TimeSpan.Parse(setting("Shutdown__Timeout")!);
        var linger = TimeSpan.FromSeconds(int.Parse(Linger().Match(File.ReadAllText(Repository.PathOf("deploy/images/run-silo.sh"))).Groups[1].Value));
        Assert.True(shutdown >= flush + StopMargin, $"Shutdown:Timeout ({shutdown}) leaves less than a minute beside Database:FlushTimeout ({flush})");
        Assert.True(grace > shutdown + linger, $"a grace period of {grace} ends within Shutdown:Timeout ({shutdown}) and {linger} for Litestreams");

        var active = setting("Database__MaxActive") is { } number ? int.Parse(number) : defaults.MaxActive;
        Assert.True(memory >= BytesOfSilo + active * BytesOfActiveDatabase, $"{active} active databases do not fit into {memory >> 20} MiB");
    }

    private static string? Refusal(string name, PropertyInfo option, string value)
    {
        object? read;
        try
        {
            var type = Nullable.GetUnderlyingType(option.PropertyType) ?? option.PropertyType;
            read = TypeDescriptor.GetConverter(type).ConvertFromInvariantString(value);
        }
        catch (Exception unreadable) when (unreadable is FormatException or ArgumentException)
        {
            return $"{name}={value}: {unreadable.Message}";
        }
        var refusals = new List<ValidationResult>();
        var context = new ValidationContext(Activator.CreateInstance(option.DeclaringType!)!) { MemberName = option.Name };
        return Validator.TryValidateValue(read!, context, refusals, option.GetCustomAttributes<ValidationAttribute>())
            ? null
            : $"{name}={value}: {refusals[0].ErrorMessage}";
    }

    [GeneratedRegex("^Host=[a-z]+;Database=[a-z]+;Username=[a-z]+;Password=")]
    private static partial Regex PostgresConnection();

    [GeneratedRegex("LINGER_SECONDS:-([0-9]+)")]
    private static partial Regex Linger();
}
