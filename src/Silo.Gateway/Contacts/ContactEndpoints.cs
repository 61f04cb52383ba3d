using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Mvc;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Gateway.Answers;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;

namespace Silo.Gateway.Contacts;

/// <summary>The contacts of the caller's organization (API.md, "Contacts").</summary>
internal sealed class ContactEndpoints(SiloGrains grains, PatientCalls calls)
{
    // Longer than any id that was ever handed out: such a text need not travel to the database.
    private const int MaxIdLength = 100;

    public static void Map(IEndpointRouteBuilder app)
    {
        var contacts = app.MapGroup("/api/contacts").RequireAuthorization(CallerPolicies.Member).WithTags("Contacts");
        var calls = ActivatorUtilities.CreateInstance<ContactEndpoints>(app.ServiceProvider);
        contacts.MapGet("", calls.List).WithName("ListContacts").Produces<ContactPage>();
        contacts.MapGet("/count", calls.Count).WithName("CountContacts").Produces<ContactCount>();
        contacts.MapGet("/{id}", calls.Get).WithName("GetContact").Produces<Contact>();
        contacts.MapPost("", calls.Create).WithName("CreateContact").Produces<Contact>(StatusCodes.Status201Created);
        contacts.MapPut("/{id}", calls.Replace).WithName("ReplaceContact").Produces<Contact>();
        contacts.MapDelete("/{id}", calls.Delete).WithName("DeleteContact").Produces(StatusCodes.Status204NoContent);
    }

    /// <summary>A page of contacts, newest first.</summary>
    private async Task List(HttpContext context, string? limit, string? cursor, string? search, CancellationToken cancellationToken)
    {
        if (search?.Length > ContactListQuery.MaxSearch)
        {
            throw new OrganizationException(OrganizationErrorCode.InvalidRequest, $"'search' has at most {ContactListQuery.MaxSearch} characters.");
        }
        // It would end the pattern that SQLite compares with, and everything would match.
        if (search?.Contains('\0', StringComparison.Ordinal) == true) throw new OrganizationException(OrganizationErrorCode.InvalidRequest, "'search' contains NUL, which no contact does.");
        var query = new ContactListQuery(PageLimit.Parse(limit), string.IsNullOrEmpty(cursor) ? null : cursor, string.IsNullOrEmpty(search) ? null : search);
        var page = await calls.ReadAsync(token => Caller.Of(context).Database(grains).ListContacts(query, token), cancellationToken);
        await JsonAnswer.Write(context.Response, page.Utf8!);
    }

    /// <summary>How many contacts there are.</summary>
    private async Task Count(HttpContext context, CancellationToken cancellationToken)
    {
        var count = await calls.ReadAsync(token => Caller.Of(context).Database(grains).CountContacts(token), cancellationToken);
        await JsonAnswer.Write(context.Response, count.Utf8!);
    }

    /// <summary>One contact.</summary>
    private async Task Get(HttpContext context, string id, CancellationToken cancellationToken)
    {
        var contact = id.Length > MaxIdLength ? default : await calls.ReadAsync(token => Caller.Of(context).Database(grains).GetContact(id, token), cancellationToken);
        await (contact.Utf8 is null
            ? ProblemAnswer.Write(context, ProblemType.ContactNotFound)
            : JsonAnswer.Write(context.Response, contact.Utf8));
    }

    /// <summary>Adds a contact.</summary>
    private async Task Create(HttpContext context, ContactFields fields, [FromHeader(Name = DurabilityHeader.Name)] string? durability, CancellationToken cancellationToken)
    {
        var wanted = DurabilityHeader.Parse(durability);
        if (!Keep(context, fields, out var refusal))
        {
            await refusal;
            return;
        }
        // Made here, so that a call that is repeated adds the same contact.
        var id = Guid.CreateVersion7().ToString();
        var written = await calls.WriteAsync((_, token) => Caller.Of(context).Database(grains).CreateContact(id, fields, wanted, token), cancellationToken);
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.Headers.Location = "/api/contacts/" + written.Id;
        DurabilityHeader.Write(context.Response, written.Durability);
        await JsonAnswer.Write(context.Response, written.Contact.Utf8!);
    }

    /// <summary>Replaces every field of a contact.</summary>
    private async Task Replace(
        HttpContext context, string id, ContactFields fields, [FromHeader(Name = DurabilityHeader.Name)] string? durability, CancellationToken cancellationToken)
    {
        var wanted = DurabilityHeader.Parse(durability);
        if (!Keep(context, fields, out var refusal) || IsNoId(context, id, out refusal))
        {
            await refusal;
            return;
        }
        var written = await calls.WriteAsync((_, token) => Caller.Of(context).Database(grains).ReplaceContact(id, fields, wanted, token), cancellationToken);
        DurabilityHeader.Write(context.Response, written.Durability);
        await JsonAnswer.Write(context.Response, written.Contact.Utf8!);
    }

    /// <summary>Removes a contact.</summary>
    private async Task Delete(HttpContext context, string id, [FromHeader(Name = DurabilityHeader.Name)] string? durability, CancellationToken cancellationToken)
    {
        var wanted = DurabilityHeader.Parse(durability);
        if (IsNoId(context, id, out var refusal))
        {
            await refusal;
            return;
        }
        var written = await calls.WriteAsync((isRepeated, token) => Caller.Of(context).Database(grains).DeleteContact(id, isRepeated, wanted, token), cancellationToken);
        DurabilityHeader.Write(context.Response, written.Durability);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static bool Keep(HttpContext context, ContactFields fields, [NotNullWhen(false)] out Task? refusal)
    {
        refusal = ContactRules.Validate(fields) is { } errors
            ? ProblemAnswer.Write(context, ProblemType.ValidationFailed, errors: errors)
            : null;
        return refusal is null;
    }

    private static bool IsNoId(HttpContext context, string id, [NotNullWhen(true)] out Task? refusal)
    {
        refusal = id.Length > MaxIdLength ? ProblemAnswer.Write(context, ProblemType.ContactNotFound) : null;
        return refusal is not null;
    }
}
