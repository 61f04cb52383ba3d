using System.Globalization;
using Silo.GcsEmulator.Faults;
using Silo.GcsEmulator.Http;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>The three ways in which bytes become an object.</summary>
internal sealed class ObjectUploads(ObjectStore store, UploadSessions sessions, RequestCounters counters)
{
    /// <summary>Media and multipart: everything in one request.</summary>
    public async Task InsertAsync(HttpContext context, UploadBody body)
    {
        var target = body.Target;
        var bucket = store.Get(target.Bucket);
        bucket.RequireForPut(target.Name, target.Conditions);
        using var content = bucket.NewContent();
        await content.AppendAsync(body.Media, context.RequestAborted);
        counters.Received(content.Length);
        target.Checksums.Require(content);
        await LateUpload.WaitAsync(context);
        await ResourceJson.AnswerAsync(context, bucket.Name, await bucket.PutAsync(target.Name, target.Metadata, content, target.Conditions));
    }

    /// <summary>Resumable, first step: a session, named by the address that the pieces go to.</summary>
    public Task StartAsync(HttpContext context, UploadBody body)
    {
        var bucket = store.Get(body.Target.Bucket);
        bucket.RequireForPut(body.Target.Name, body.Target.Conditions);
        var session = sessions.Begin(body.Target, bucket);
        context.Response.Headers.Location =
            $"{ResourceJson.Origin(context)}/upload/storage/v1/b/{bucket.Name}/o?uploadType=resumable&upload_id={session.Id}";
        context.Response.Headers["X-GUploader-UploadID"] = session.Id;
        context.Response.ContentLength = 0;
        return Task.CompletedTask;
    }

    /// <summary>Resumable, every further step: a piece, or the question how far we are.</summary>
    public async Task ContinueAsync(HttpContext context, UploadSession session)
    {
        var range = ContentRange.Parse(context.Request.Headers.ContentRange);
        await session.Turn.WaitAsync(context.RequestAborted);
        try
        {
            if (session.Result is null) await TakeAsync(context, session, range);
            if (session.Result is { } stored) await ResourceJson.AnswerAsync(context, session.Target.Bucket, stored);
            else AnswerIncomplete(context, session);
        }
        finally
        {
            session.Turn.Release();
        }
    }

    public async Task CancelAsync(HttpContext context, UploadSession session)
    {
        await session.Turn.WaitAsync(context.RequestAborted);
        sessions.Remove(session);
        session.Turn.Release();
        context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest; // what GCS answers to a cancelled upload
        context.Response.ContentLength = 0;
    }

    private async Task TakeAsync(HttpContext context, UploadSession session, ContentRange range)
    {
        var bucket = session.Bucket;
        if (bucket.IsGone)
        {
            sessions.Remove(session);
            throw GcsRefusal.NoBucket(bucket.Name);
        }
        var content = session.Content ??= bucket.ReopenContent(session.Record.Content) ?? throw GcsRefusal.NoUpload();
        if (!range.IsQuery)
        {
            var before = content.Length;
            await TakePieceAsync(context, content, range);
            counters.Received(content.Length - before);
        }
        if (content.Length > range.Total) throw GcsRefusal.Invalid($"{content.Length} bytes were uploaded, more than the total of {range.Total}.");
        if (range.EndsWithBody || content.Length == range.Total) await FinishAsync(session, bucket, content, context.Request.Headers);
    }

    private static async Task TakePieceAsync(HttpContext context, ContentWriter content, ContentRange range)
    {
        var known = content.Length - range.First!.Value;
        if (known < 0) throw GcsRefusal.Invalid($"The piece begins at {range.First} but only {content.Length} bytes have arrived.");
        if (context.Request.ContentLength > range.End - range.First) throw TooLong();
        await SkipAsync(context.Request.Body, known, context.RequestAborted);
        var left = (range.End ?? long.MaxValue) - content.Length;
        if (!await content.AppendAsync(context.Request.Body, left, context.RequestAborted)) throw TooLong();
    }

    private static GcsRefusal TooLong() => GcsRefusal.Invalid("The piece is longer than its Content-Range.");

    /// <summary>A piece sent again may begin with bytes that arrived the first time.</summary>
    private static async Task SkipAsync(Stream body, long count, CancellationToken cancellationToken)
    {
        var buffer = new byte[(int)Math.Min(count, 64 * 1024)];
        while (count > 0)
        {
            var read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(count, buffer.Length)), cancellationToken);
            if (read == 0) return;
            count -= read;
        }
    }

    private async Task FinishAsync(UploadSession session, Bucket bucket, ContentWriter content, IHeaderDictionary headers)
    {
        try
        {
            var target = session.Target;
            target.Checksums.With(headers).Require(content);
            sessions.Complete(session, await bucket.PutAsync(target.Name, target.Metadata, content, target.Conditions));
        }
        catch (GcsRefusal)
        {
            sessions.Remove(session);
            throw;
        }
    }

    private static void AnswerIncomplete(HttpContext context, UploadSession session)
    {
        session.Bucket.Flush(session.Content!); // what the client is told has arrived, it does not send again
        var received = session.Content!.Length;
        // Google's Go client asks for 200, because proxies take a 308 for a redirect.
        var no308 = context.Request.Headers["X-GUploader-No-308"] == "yes";
        context.Response.StatusCode = no308 ? StatusCodes.Status200OK : StatusCodes.Status308PermanentRedirect;
        if (no308) context.Response.Headers["X-Http-Status-Code-Override"] = "308";
        if (received > 0) context.Response.Headers.Range = string.Create(CultureInfo.InvariantCulture, $"bytes=0-{received - 1}");
        context.Response.ContentLength = 0;
    }
}
