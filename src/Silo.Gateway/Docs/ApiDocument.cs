using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Gateway.Answers;
using Silo.Gateway.Contacts;
using Silo.Gateway.Operators;

namespace Silo.Gateway.Docs;

/// <summary>
/// What the document at <c>/openapi/v1.json</c> says beyond the calls' own types: the token, the problems, and the limits of fields.
/// </summary>
internal static class ApiDocument
{
    private const string Scheme = "bearer";
    private const string Problem = "Problem";
    private const string IdPattern = "^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$";

    public static void AddApiDocument(this IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.AddSchemaTransformer(DescribeLimits);
        options.AddDocumentTransformer(Describe);
    });

    private static async Task Describe(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Silo",
            Version = "v1",
            Description = "Contacts of many organizations, each in a database of its own.",
        };
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.AddComponent<IOpenApiSecurityScheme>(Scheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            BearerFormat = "JWT",
            Description = "Claims: sub (the user), org (organization id), role (member or admin).",
        });
        document.AddComponent<IOpenApiSchema>(Problem, await context.GetOrCreateSchemaAsync(typeof(ProblemBody), null, cancellationToken));
        foreach (var (path, item) in document.Paths)
        {
            foreach (var (method, operation) in item.Operations ?? [])
            {
                if (path.StartsWith("/api/", StringComparison.Ordinal)) Describe(document, path, method, operation);
            }
        }
    }

    private static void Describe(OpenApiDocument document, string path, HttpMethod method, OpenApiOperation operation)
    {
        operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, document)] = [] }];
        foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>()) Describe(parameter);
        var isWrite = method != HttpMethod.Get && path.StartsWith("/api/contacts", StringComparison.Ordinal);
        foreach (var (status, response) in operation.Responses ??= [])
        {
            if (isWrite && status[0] == '2' && response is OpenApiResponse written) DescribeWritten(written);
        }
        var statuses = ProblemType.All.Select(type => type.Status).Distinct().Where(status => status switch
        {
            404 => path.Contains('{', StringComparison.Ordinal) || path.StartsWith("/api/contacts", StringComparison.Ordinal),
            405 or 408 => false,
            409 => method == HttpMethod.Post || method == HttpMethod.Put || path.StartsWith("/api/admin/locks", StringComparison.Ordinal),
            413 or 415 or 422 => operation.RequestBody is not null,
            _ => true,
        });
        foreach (var status in statuses) operation.Responses.TryAdd(status.ToString(CultureInfo.InvariantCulture), ProblemResponse(document, status));
    }

    private static void Describe(OpenApiParameter parameter)
    {
        (parameter.Description, parameter.Schema) = parameter.Name switch
        {
            "limit" => ("The size of the page.", new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
                Minimum = "1",
                Maximum = ContactListQuery.MaxLimit.ToString(CultureInfo.InvariantCulture),
                Default = ContactListQuery.DefaultLimit,
            }),
            "cursor" => ("The nextCursor of the page before.", parameter.Schema),
            "search" => ("Part of a name, e-mail, phone or company.", Text(ContactListQuery.MaxSearch)),
            "dbType" => ("Only organizations of this type.", OneOf("turso", "sqlite")),
            DurabilityHeader.Name => ("What the write waits for; the organization's own default if absent.", OneOf("local", "replicated")),
            _ => (parameter.Description, parameter.Schema),
        };
    }

    private static void DescribeWritten(OpenApiResponse response)
    {
        response.Headers ??= new Dictionary<string, IOpenApiHeader>();
        response.Headers[DurabilityHeader.Name] = new OpenApiHeader
        {
            Description = "How far the write has come: committed on the owning silo, or in the bucket.",
            Schema = OneOf("local", "replicated"),
        };
    }

    private static OpenApiResponse ProblemResponse(OpenApiDocument document, int status)
    {
        var types = ProblemType.All.Where(type => type.Status == status).ToArray();
        var response = new OpenApiResponse
        {
            Description = string.Join("; ", types.Select(type => $"{type.Code}: {type.Title}")),
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference(Problem, document) },
            },
        };
        if (types[0].HasRetryAfter)
        {
            response.Headers = new Dictionary<string, IOpenApiHeader>
            {
                ["Retry-After"] = new OpenApiHeader { Description = "Seconds.", Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1" } },
            };
        }
        return response;
    }

    private static Task DescribeLimits(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = context.JsonTypeInfo.Type;
        if (type == typeof(DateTimeOffset) || type == typeof(OrganizationId) || type.IsEnum) schema.Type = JsonSchemaType.String;
        if (type == typeof(DateTimeOffset?) || Nullable.GetUnderlyingType(type)?.IsEnum == true) schema.Type = JsonSchemaType.String | JsonSchemaType.Null;
        if (type == typeof(OrganizationId?)) schema.Type = JsonSchemaType.String | JsonSchemaType.Null;
        if (type == typeof(OrganizationId) || type == typeof(OrganizationId?)) schema.Pattern = IdPattern;
        if (type == typeof(ProblemBody)) schema.Required?.Remove("errors");
        if (context.JsonPropertyInfo is not null || schema.Properties is not { } properties) return Task.CompletedTask;
        if (type == typeof(ContactFields) || type == typeof(Contact))
        {
            Limit("name", ContactRules.MaxName);
            Limit("email", ContactRules.MaxEmail);
            Limit("phone", ContactRules.MaxPhone);
            Limit("company", ContactRules.MaxCompany);
            Limit("notes", ContactRules.MaxNotes);
            Limit("agentId", ContactRules.MaxAgentId);
            if (type == typeof(ContactFields)) Require("name");
        }
        else if (type == typeof(NewOrganizationBody))
        {
            Limit("name", ContactRules.MaxName);
            if (properties["id"] is OpenApiSchema id) id.Pattern = IdPattern;
            Require("id", "name");
        }
        return Task.CompletedTask;

        void Limit(string property, int longest)
        {
            if (properties[property] is OpenApiSchema text) text.MaxLength = longest;
        }

        void Require(params string[] names)
        {
            schema.Required = new HashSet<string>(names, StringComparer.Ordinal);
            foreach (var name in names)
            {
                if (properties[name] is not OpenApiSchema text) continue;
                text.Type = JsonSchemaType.String;
                text.MinLength = 1;
            }
        }
    }

    private static OpenApiSchema Text(int longest) => new() { Type = JsonSchemaType.String, MaxLength = longest };

    private static OpenApiSchema OneOf(params string[] values) =>
        new() { Type = JsonSchemaType.String, Enum = [.. values.Select(value => (JsonNode)value)] };
}
