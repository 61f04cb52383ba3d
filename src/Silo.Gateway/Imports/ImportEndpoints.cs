using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Contracts.Contacts;
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
internal sealed partial class ImportEndpoints(SiloGrains grains, PatientCalls calls, StagedImports staged, IOptions<ImportsOptions> options, IHostApplicationLifetime life, TimeProvider time, ILogger<ImportEndpoints> logger)
{
    /// <summary>The longest that one call waits for news: a database is not put away, and answers nobody else, while a call of it waits.</summary>
    private static readonly TimeSpan NewsInterval = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan RetryBucket = TimeSpan.FromSeconds(5);

    private readonly ImportsOptions _options = options.Value;

    /// <summary>Who only waits for news is not waited for: this process ends.</summary>
    private bool IsStopping => life.ApplicationStopping.IsCancellationRequested;

    private readonly PartitionedRateLimiter<OrganizationId> _receiving = PartitionedRateLimiter.CreateChained(
        // First its own: who sends slowly or much is not to keep all others out.
        PartitionedRateLimiter.Create<OrganizationId, OrganizationId>(organization => Places(organization, options.Value.MaxReceivingPerOrganization)),
        PartitionedRateLimiter.Create<OrganizationId, bool>(_ => Places(true, options.Value.MaxReceiving)));

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
        var known = await calls.ReadAsync(token => new ValueTask<ImportStatus?>(grains.Database(organization).PrepareImport(request.Id, token)), cancellationToken);
        if (known is null)
        {
            StagedImport import;
            long generation;
            using (var place = _receiving.AttemptAcquire(organization))
            {
                if (!place.IsAcquired)
                    throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "As many files are received as this gateway takes at once, in all or of one organization.") { RetryAfter = RetryBucket };
                (import, generation) = await ReceiveAsync(context, organization, request, cancellationToken);
            }
            known = await AcceptAsync(organization, import, generation, cancellationToken);
        }
        if (request.Wait > TimeSpan.Zero)
        {
            context.Response.Headers["Preference-Applied"] = string.Create(CultureInfo.InvariantCulture, $"wait={request.Wait.TotalSeconds:0}");
            known = await WaitAsync(organization, known, request.Wait, cancellationToken);
            if (known.IsOver) return TypedResults.Ok(known);
        }
        return TypedResults.Accepted($"{root}/imports/{known.Id}", known);
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
        TypedResults.Ok(await FindAsync(organization, ImportRequest.ParseId(id), TimeSpan.Zero, cancellationToken));

    private async Task<IResult> Watch(OrganizationId organization, string id, CancellationToken cancellationToken)
    {
        var first = await FindAsync(organization, ImportRequest.ParseId(id), TimeSpan.Zero, cancellationToken);
        return TypedResults.ServerSentEvents(Events(organization, first, cancellationToken));
    }

    private async Task Audit(HttpContext context, OrganizationId organization, string? limit, string? cursor, CancellationToken cancellationToken)
    {
        var query = new AuditQuery(PageLimit.Parse(limit), string.IsNullOrEmpty(cursor) ? null : cursor);
        var page = await calls.ReadAsync(token => grains.Database(organization).ListAudit(query, token), cancellationToken);
        await Answers.JsonAnswer.Write(context.Response, page.Utf8!);
    }

    private ValueTask<ImportStatus> FindAsync(OrganizationId organization, string id, TimeSpan wait, CancellationToken cancellationToken) =>
        calls.ReadAsync(token => new ValueTask<ImportStatus>(grains.Database(organization).FindImport(id, wait, token)), cancellationToken);

    /// <summary>Waits for the end of an import that was accepted, and stays so when its organization cannot be asked for a while.</summary>
    private async Task<ImportStatus> WaitAsync(OrganizationId organization, ImportStatus status, TimeSpan wait, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        try
        {
            while (!status.IsOver && !IsStopping && wait - time.GetElapsedTime(begun) is { Ticks: > 0 } left)
                status = await FindAsync(organization, status.Id, left < NewsInterval ? left : NewsInterval, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OrleansException or OrganizationException { RetryAfter: not null })
        {
            LogNotWaitedFor(organization, status.Id, e.Message);
        }
        return status;
    }

    private async IAsyncEnumerable<SseItem<ImportStatus>> Events(OrganizationId organization, ImportStatus first, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new SseItem<ImportStatus>(first, "import");
        for (var status = first; !status.IsOver && !IsStopping;)
        {
            status = await FindAsync(organization, first.Id, NewsInterval, cancellationToken);
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

    private async Task<ImportStatus> AcceptAsync(OrganizationId organization, StagedImport import, long generation, CancellationToken cancellationToken)
    {
        var tries = 0;
        try
        {
            // By its id it is accepted once, however often it is sent.
            return await calls.WriteAsync(
                (_, token) =>
                {
                    tries++;
                    return new ValueTask<ImportStatus>(grains.Database(organization).BeginImport(import, token));
                },
                cancellationToken);
        }
        // An earlier try may have been accepted after all, and then needs the file.
        catch (OrganizationException e) when (e.Code == OrganizationErrorCode.ImportInProgress && tries == 1)
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

    private static RateLimitPartition<TKey> Places<TKey>(TKey key, int count) =>
        RateLimitPartition.GetConcurrencyLimiter(key, _ => new ConcurrencyLimiterOptions { PermitLimit = count });

    [LoggerMessage(LogLevel.Warning, "Organization {Organization}: the bucket does not take the file of import {Import}: {Problem}")]
    private partial void LogNotStaged(OrganizationId organization, string import, string problem);

    [LoggerMessage(LogLevel.Warning, "Organization {Organization}: the end of import {Import}, which is accepted, could not be waited for: {Problem}")]
    private partial void LogNotWaitedFor(OrganizationId organization, string import, string problem);

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
