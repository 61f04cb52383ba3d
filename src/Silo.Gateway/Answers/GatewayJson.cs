using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;
using Silo.Gateway.Admin;
using Silo.Gateway.Contacts;
using Silo.Gateway.Health;
using Silo.Gateway.Imports;
using Silo.Gateway.Operators;

namespace Silo.Gateway.Answers;

/// <summary>The JSON of requests and of the answers that the gateway itself writes.</summary>
[JsonSerializable(typeof(ContactFields))]
[JsonSerializable(typeof(Contact))]
[JsonSerializable(typeof(ContactPage))]
[JsonSerializable(typeof(ContactCount))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ProblemBody))]
[JsonSerializable(typeof(Organization))]
[JsonSerializable(typeof(OrganizationPage))]
[JsonSerializable(typeof(NewOrganizationBody))]
[JsonSerializable(typeof(DatabaseStatus))]
[JsonSerializable(typeof(DatabaseList))]
[JsonSerializable(typeof(DatabaseChange))]
[JsonSerializable(typeof(RestoreBody))]
[JsonSerializable(typeof(RestoreStatus))]
[JsonSerializable(typeof(MigrationBody))]
[JsonSerializable(typeof(MigrationStatus))]
[JsonSerializable(typeof(FleetReport))]
[JsonSerializable(typeof(OperatorActionPage))]
[JsonSerializable(typeof(LockPage))]
[JsonSerializable(typeof(ImportStatus))]
[JsonSerializable(typeof(AuditPage))]
[JsonSerializable(typeof(ContactFields[]))]
[JsonSerializable(typeof(AdminSessionBody))]
[JsonSerializable(typeof(string))]
internal sealed partial class GatewayJson : JsonSerializerContext;

internal static class GatewayJsonOptions
{
    public static void AddGatewayJson(this IServiceCollection services)
    {
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.ConfigureHttpJsonOptions(http =>
        {
            var json = http.SerializerOptions;
            json.PropertyNameCaseInsensitive = false;
            json.NumberHandling = JsonNumberHandling.Strict;
            json.AllowDuplicateProperties = false;
            json.Converters.Add(new JsonStringEnumConverter<Durability>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<OrganizationDbType>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<DatabaseState>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<RestoreState>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<MigrationKind>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<MigrationStep>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<ImportState>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new JsonStringEnumConverter<ImportPhase>(JsonNamingPolicy.CamelCase, allowIntegerValues: false));
            json.Converters.Add(new UtcTimeJsonConverter());
            json.TypeInfoResolverChain.Insert(0, GatewayJson.Default);
        });
    }
}
