using System.Globalization;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Gateway.Authentication;
using Silo.Gateway.Clustering;

namespace Silo.Gateway.Operators;

/// <summary>
/// An organization's database as a SQLite file, while it is in use. Length and checksum are known before the first byte is sent, so what
/// breaks off in the middle is never taken for the whole.
/// </summary>
internal sealed partial class ExportEndpoints(SiloGrains grains, PatientCalls calls, IOptions<GatewayOptions> options, TimeProvider time, ILogger<ExportEndpoints> logger)
{
    private const string ContentType = "application/vnd.sqlite3";

    /// <summary>What a slow client has beside the time that its rate allows.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private readonly TimeSpan _pieceTime = Grace + TimeSpan.FromSeconds((double)ExportedFile.PieceBytes / options.Value.MinExportBytesPerSecond);

    public static void Map(IEndpointRouteBuilder app)
    {
        var calls = ActivatorUtilities.CreateInstance<ExportEndpoints>(app.ServiceProvider);
        // For the admin page: a browser saves what a link names, however large, and to a link it adds the cookie but no header.
        app.MapGet("/admin/export/{id}", calls.Export).RequireAuthorization(CallerPolicies.Admin).WithMetadata(OperatorAudit.TakesDataAway).ExcludeFromDescription();
        app.MapGet("/api/admin/organizations/{id}/export", calls.Export).RequireAuthorization(CallerPolicies.Admin).WithMetadata(OperatorAudit.TakesDataAway).WithTags("Operators")
            .WithName("ExportOrganization").Produces<Stream>(StatusCodes.Status200OK, ContentType)
            .WithDescription("The organization's database as it is now, as one SQLite file. Repr-Digest (RFC 9530) and ETag have its SHA-256.");
    }

    private async Task Export(HttpContext context, string id, CancellationToken cancellationToken)
    {
        var organization = OrganizationId.Parse(id);
        await OrganizationEndpoints.Find(grains, organization, cancellationToken);
        // One that was begun twice, because an answer was lost, expires.
        var export = grains.Export(await calls.ReadAsync(token => new ValueTask<Guid>(grains.Database(organization).BeginExport(token)), cancellationToken));
        try
        {
            ExportedFile? file;
            do file = await export.WaitUntilMade(cancellationToken);
            while (file is null);
            SetHeaders(context.Response, organization, file);
            await SendAsync(context.Response.Body, export, file, cancellationToken);
            LogSent(organization, file.Bytes, Caller.Of(context).User, context.Connection.RemoteIpAddress?.ToString());
        }
        catch (Exception e) when (context.Response.HasStarted)
        {
            // The boundary of a transfer: too late for a problem, and the client must not take what it has for the whole.
            LogBroken(organization, Caller.Of(context).User, e.GetType().Name, e.Message);
            context.Abort();
        }
        finally
        {
            // Whoever has no gateway any more is found out by the silo.
            export.End().Ignore();
        }
    }

    private static void SetHeaders(HttpResponse response, OrganizationId organization, ExportedFile file)
    {
        response.ContentType = ContentType;
        response.ContentLength = file.Bytes;
        response.Headers.ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileName = $"{organization}.db" }.ToString();
        response.Headers.ETag = $"\"{file.Sha256}\"";
        response.Headers["Repr-Digest"] = $"sha-256=:{Convert.ToBase64String(Convert.FromHexString(file.Sha256))}:";
        response.Headers.LastModified = file.At.ToString("R", CultureInfo.InvariantCulture);
        response.Headers.AcceptRanges = "none";
    }

    private async Task SendAsync(Stream body, IExportGrain export, ExportedFile file, CancellationToken cancellationToken)
    {
        // The next piece is fetched while one is sent, and no more: a slow client costs two pieces of memory.
        var next = export.Read(0, cancellationToken).AsTask();
        try
        {
            for (long sent = 0; sent < file.Bytes;)
            {
                var piece = (await next).Content;
                if (piece.Length == 0) throw new EndOfStreamException($"The export ends at {sent} of {file.Bytes} bytes.");
                if (sent + piece.Length < file.Bytes) next = export.Read(sent + piece.Length, cancellationToken).AsTask();
                await SendAsync(body, piece, cancellationToken);
                sent += piece.Length;
            }
        }
        finally
        {
            next.Ignore();
        }
    }

    private async Task SendAsync(Stream body, byte[] piece, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_pieceTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            await body.WriteAsync(piece, either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The client takes less than {options.Value.MinExportBytesPerSecond} bytes per second (Gateway:MinExportBytesPerSecond).");
        }
    }

    [LoggerMessage(LogLevel.Information, "Organization {Organization}: exported, {Bytes} bytes, to {User} at {Source}")]
    private partial void LogSent(OrganizationId organization, long bytes, string? user, string? source);

    [LoggerMessage(LogLevel.Warning, "Organization {Organization}: an export to {User} broke off ({Exception}): {Problem}")]
    private partial void LogBroken(OrganizationId organization, string? user, string exception, string problem);
}
