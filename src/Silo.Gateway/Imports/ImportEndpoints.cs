using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;
using Silo.Gateway.Contacts;
using Silo.Storage.Gcs;
using Silo.Storage.Imports;

namespace Silo.Gateway.Imports;

/// <summary>
/// Bulk imports and the audit trail of the caller's organization (API.md, "Bulk import"); and the same of any organization for operators.
/// A file goes from the client to the bucket as it comes; the organization is then told where it is.
/// </summary>
internal sealed partial class ImportEndpoints(SiloGrains grains, StagedImports staged, IOptions<ImportsOptions> options, TimeProvider time, ILogger<ImportEndpoints> logger)
{
    private static readonly TimeSpan EventInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryBucket = TimeSpan.FromSeconds(5);

    private readonly ImportsOptions _options = options.Value;
    private readonly SemaphoreSlim _receiving = new(options.Value.MaxReceiving);

    public static void Map(IEndpointRouteBuilder app)
    {
        var calls = ActivatorUtilities.CreateInstance<ImportEndpoints>(app.ServiceProvider);
        var own = app.MapGroup("/api").RequireAuthorization(CallerPolicies.Member).WithTags("Imports");
        own.MapPost("/contacts/bulk-import", (HttpContext context, CancellationToken token) => calls.Begin(context, Caller.Of(context).Organization, "/api", token))
            .WithName("BulkImport").Accepts<ContactFields[]>("application/json", "application/x-ndjson", "text/csv").Produces<ImportStatus>().Produces<ImportStatus>(StatusCodes.Status202Accepted)
            .WithDescription("Takes in a file of contacts, whole or not at all. 200 if it ended within 'Prefer: wait=N' seconds, else 202. The same Idempotency-Key never imports twice.");
        own.MapGet("/imports/{id}", (HttpContext context, string id, CancellationToken token) => calls.Get(Caller.Of(context).Organization, id, token))
            .WithName("GetImport").Produces<ImportStatus>();
        own.MapGet("/imports/{id}/events", (HttpContext context, string id, CancellationToken token) => calls.Watch(Caller.Of(context).Organization, id, token))
            .WithName("WatchImport").WithDescription("The same as server-sent events, until it ends.");
        own.MapGet("/audit", (HttpContext context, string? limit, string? cursor, CancellationToken token) => calls.Audit(context, Caller.Of(context).Organization, limit, cursor, token))
            .WithName("ListAudit").Produces<AuditPage>();

        var any = app.MapGroup("/api/admin/organizations/{organization}").RequireAuthorization(CallerPolicies.Admin).WithTags("Operators");
        any.MapPost("/contacts/bulk-import", (HttpContext context, string organization, CancellationToken token) =>
                calls.Begin(context, OrganizationId.Parse(organization), $"/api/admin/organizations/{organization}", token))
            .WithName("BulkImportFor").Accepts<ContactFields[]>("application/json", "application/x-ndjson", "text/csv").Produces<ImportStatus>().Produces<ImportStatus>(StatusCodes.Status202Accepted);
        any.MapGet("/imports/{id}", (string organization, string id, CancellationToken token) => calls.Get(OrganizationId.Parse(organization), id, token))
            .WithName("GetImportOf").Produces<ImportStatus>();
        any.MapGet("/imports/{id}/events", (string organization, string id, CancellationToken token) => calls.Watch(OrganizationId.Parse(organization), id, token))
            .WithName("WatchImportOf");
        any.MapGet("/audit", (HttpContext context, string organization, string? limit, string? cursor, CancellationToken token) =>
                calls.Audit(context, OrganizationId.Parse(organization), limit, cursor, token))
            .WithName("ListAuditOf").Produces<AuditPage>();
    }

    /// <summary>Receives a file and has it taken in.</summary>
    private async Task<IResult> Begin(HttpContext context, OrganizationId organization, string root, CancellationToken cancellationToken)
    {
        var request = ImportRequest.Parse(context.Request);
        var database = grains.Database(organization);
        if (await database.PrepareImport(request.Id, cancellationToken) is { } known) return await AnswerAsync(context, database, known, request, root, cancellationToken);

        if (!await _receiving.WaitAsync(0, cancellationToken))
            throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "As many files are received as this gateway takes at once.") { RetryAfter = RetryBucket };
        StagedImport import;
        long generation;
        try
        {
            (import, generation) = await ReceiveAsync(context, organization, request, cancellationToken);
        }
        finally
        {
            _receiving.Release();
        }
        return await AnswerAsync(context, database, await AcceptAsync(database, organization, import, generation, cancellationToken), request, root, cancellationToken);
    }

    private async Task<(StagedImport Import, long Generation)> ReceiveAsync(HttpContext context, OrganizationId organization, ImportRequest request, CancellationToken cancellationToken)
    {
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = _options.MaxBytes;
        var received = time.GetUtcNow();
        await using var body = new ReceivedBody(context.Request.Body, request.IsGzip, _options.MaxBytes);
        var generation = await StageAsync(organization, request, body, cancellationToken);
        var import = new StagedImport
        {
            Id = request.Id,
            Format = request.Format,
            IsGzip = request.IsGzip,
            Charset = request.Charset,
            Bytes = body.Received,
            Sha256 = body.Sha256(),
            Options = request.Options,
            User = Caller.Of(context).User,
            Source = context.Connection.RemoteIpAddress?.ToString(),
            ReceivedAt = received,
        };
        return (import, generation);
    }

    private async Task<IResult> Get(OrganizationId organization, string id, CancellationToken cancellationToken) =>
        TypedResults.Ok(await grains.Database(organization).FindImport(ImportRequest.ParseId(id), TimeSpan.Zero, cancellationToken));

    private async Task<IResult> Watch(OrganizationId organization, string id, CancellationToken cancellationToken)
    {
        var database = grains.Database(organization);
        var first = await database.FindImport(ImportRequest.ParseId(id), TimeSpan.Zero, cancellationToken);
        return TypedResults.ServerSentEvents(Events(database, first, cancellationToken));
    }

    private async Task Audit(HttpContext context, OrganizationId organization, string? limit, string? cursor, CancellationToken cancellationToken)
    {
        var page = await grains.Database(organization).ListAudit(new AuditQuery(PageLimit.Parse(limit), string.IsNullOrEmpty(cursor) ? null : cursor), cancellationToken);
        await Answers.JsonAnswer.Write(context.Response, page.Utf8!);
    }

    private static async IAsyncEnumerable<SseItem<ImportStatus>> Events(IOrgDatabaseGrain database, ImportStatus first, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new SseItem<ImportStatus>(first, "import");
        for (var status = first; !status.IsOver;)
        {
            status = await database.FindImport(first.Id, EventInterval, cancellationToken);
            yield return new SseItem<ImportStatus>(status, "import");
        }
    }

    private async Task<long> StageAsync(OrganizationId organization, ImportRequest request, ReceivedBody body, CancellationToken cancellationToken)
    {
        long generation;
        try
        {
            generation = await staged.UploadAsync(organization, request.Id, body, cancellationToken);
        }
        catch (BucketException e)
        {
            LogNotStaged(organization, request.Id, e.Message);
            throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The bucket does not take the file now; nothing was changed. Send it again with the same Idempotency-Key.", e) { RetryAfter = RetryBucket };
        }
        try
        {
            await body.EndAsync();
            return generation;
        }
        catch (OrganizationException)
        {
            await TakeBackAsync(organization, request.Id, generation);
            throw;
        }
    }

    private async Task<ImportStatus> AcceptAsync(IOrgDatabaseGrain database, OrganizationId organization, StagedImport import, long generation, CancellationToken cancellationToken)
    {
        try
        {
            return await database.BeginImport(import, cancellationToken);
        }
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.ImportInProgress)
        {
            await TakeBackAsync(organization, import.Id, generation);
            throw;
        }
    }

    private async Task TakeBackAsync(OrganizationId organization, string id, long generation)
    {
        try
        {
            await staged.TakeBackAsync(organization, id, generation, CancellationToken.None);
        }
        catch (BucketException e)
        {
            // The silos delete what nobody accepted, after a while.
            LogNotDropped(organization, id, e.Message);
        }
    }

    private static async Task<IResult> AnswerAsync(
        HttpContext context, IOrgDatabaseGrain database, ImportStatus status, ImportRequest request, string root, CancellationToken cancellationToken)
    {
        if (request.Wait > TimeSpan.Zero)
        {
            context.Response.Headers["Preference-Applied"] = string.Create(CultureInfo.InvariantCulture, $"wait={request.Wait.TotalSeconds:0}");
            if (!status.IsOver) status = await database.FindImport(request.Id, request.Wait, cancellationToken);
        }
        return status.IsOver && request.Wait > TimeSpan.Zero ? TypedResults.Ok(status) : TypedResults.Accepted($"{root}/imports/{status.Id}", status);
    }

    [LoggerMessage(LogLevel.Warning, "Organization {Organization}: the bucket does not take the file of import {Import}: {Problem}")]
    private partial void LogNotStaged(OrganizationId organization, string import, string problem);

    [LoggerMessage(LogLevel.Warning, "Organization {Organization}: the file of import {Import}, which was refused, stays in the bucket for a while: {Problem}")]
    private partial void LogNotDropped(OrganizationId organization, string import, string problem);
}

/// <summary>A page of the audit trail as the document at <c>/openapi/v1.json</c> describes it; its JSON is written in the database.</summary>
internal sealed record AuditPage(IReadOnlyList<AuditEntry> Items, string? NextCursor);

/// <summary>An entry of the audit trail as described.</summary>
internal sealed record AuditEntry(
    DateTimeOffset At, string Action, string Id, string? User, string? Source, string Outcome, string Sha256, long Bytes, string Format, ImportOptions Options, AuditCounts Counts);

/// <summary>What an import came to, in rows, as described.</summary>
internal sealed record AuditCounts(long? Total, long Imported, long Updated, long Skipped, long Failed);
