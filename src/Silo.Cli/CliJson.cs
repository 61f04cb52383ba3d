using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.Cli.Commands;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;

namespace Silo.Cli;

/// <summary>The JSON of the admin API, as far as these commands need it.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(CamelCase<RestoreState>), typeof(CamelCase<DatabaseState>), typeof(CamelCase<ImportState>), typeof(CamelCase<ImportPhase>),
    typeof(CamelCase<MigrationKind>), typeof(CamelCase<MigrationStep>), typeof(CamelCase<OrganizationDbType>), typeof(CamelCase<Durability>)])]
[JsonSerializable(typeof(RestoreStatus))]
[JsonSerializable(typeof(RestoreRequest))]
[JsonSerializable(typeof(ImportStatus))]
[JsonSerializable(typeof(ExportDone))]
[JsonSerializable(typeof(OrganizationPage))]
[JsonSerializable(typeof(MigrateRequest))]
[JsonSerializable(typeof(MigrationStatus))]
[JsonSerializable(typeof(MigrationOutcome))]
[JsonSerializable(typeof(FleetReport))]
[JsonSerializable(typeof(OperatorActionPage))]
[JsonSerializable(typeof(LockPage))]
[JsonSerializable(typeof(DatabaseList))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class CliJson : JsonSerializerContext;

/// <summary>An enumeration as its name in camel case.</summary>
internal sealed class CamelCase<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>The body of a restore.</summary>
internal sealed record RestoreRequest(string At, bool DryRun, string? As = null, string? Name = null);

/// <summary>An export that is on this machine.</summary>
internal sealed record ExportDone(OrganizationId Organization, string File, long Bytes, string Sha256, DateTimeOffset? At);

/// <summary>Every active database.</summary>
internal sealed record DatabaseList(IReadOnlyList<DatabaseStatus> Items);

/// <summary>A refusal (RFC 9457).</summary>
internal sealed record Problem(string? Title, string? Detail, string? Code, string? TraceId, IReadOnlyDictionary<string, string[]>? Errors);
