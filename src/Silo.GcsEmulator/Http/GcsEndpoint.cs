using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Silo.GcsEmulator.Faults;
using Silo.GcsEmulator.Uploads;

namespace Silo.GcsEmulator.Http;

/// <summary>Every request's way: where it goes, what the fault plan says, what is done, how a refusal is answered.</summary>
internal sealed partial class GcsEndpoint
{
    private readonly RequestCounters _counters = new();
    private readonly UploadSessions _sessions;
    private readonly FaultInjection _faults;
    private readonly BucketRequests _buckets;
    private readonly ObjectRequests _objects;
    private readonly ObjectUploads _uploads;
    private readonly ControlRequests _control;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public GcsEndpoint(DataFolder data, FaultPlan plan, TimeProvider time, ILogger logger)
    {
        (_sessions, _time, _logger) = (data.Sessions, time, logger);
        _faults = new FaultInjection(plan, time);
        _buckets = new BucketRequests(data.Store);
        _objects = new ObjectRequests(data.Store, _counters);
        _uploads = new ObjectUploads(data.Store, data.Sessions, _counters);
        _control = new ControlRequests(data.Store, plan, _counters);
    }

    public async Task HandleAsync(HttpContext context)
    {
        SetDate(context);
        try
        {
            await DispatchAsync(context);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort(); // nobody is there to be told
        }
        catch (GcsRefusal refusal) when (!context.Response.HasStarted)
        {
            await RefusalAnswer.WriteAsync(context, refusal);
        }
        catch (BadHttpRequestException malformed) when (!context.Response.HasStarted)
        {
            await RefusalAnswer.WriteAsync(context, GcsRefusal.Invalid(malformed.Message));
        }
        catch (Exception failure) when (!context.Response.HasStarted)
        {
            LogFailed(_logger, failure, context.Request.Method, context.Request.Path);
            await RefusalAnswer.WriteAsync(context, GcsRefusal.Failed(failure.Message));
        }
    }

    private async Task DispatchAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var route = GcsRoute.Parse(context.Request.Method, target, parameter => context.Request.Query[parameter]);
        _counters.Count(route.Kind);
        switch (route.Kind)
        {
            case RequestKind.Control:
                await _control.HandleAsync(context, route.Object);
                break;
            case RequestKind.InsertObject or RequestKind.StartUpload:
                CutStream.Watch(context); // the name that the plan asks for is in the body
                var body = await UploadBody.OpenAsync(context, route);
                await _faults.RunAsync(context, route.Kind, body.Target.Name, () =>
                    route.Kind == RequestKind.InsertObject ? _uploads.InsertAsync(context, body) : _uploads.StartAsync(context, body));
                break;
            case RequestKind.ContinueUpload or RequestKind.CancelUpload:
                var session = _sessions.Get(context.Request.Query["upload_id"].ToString());
                await _faults.RunAsync(context, route.Kind, session.Target.Name, () =>
                    route.Kind == RequestKind.ContinueUpload ? _uploads.ContinueAsync(context, session) : _uploads.CancelAsync(context, session));
                break;
            default:
                await _faults.RunAsync(context, route.Kind, NameFor(context, route), () => CarryOutAsync(context, route));
                break;
        }
    }

    private Task CarryOutAsync(HttpContext context, GcsRoute route) => route.Kind switch
    {
        RequestKind.GetObject => _objects.GetAsync(context, route),
        RequestKind.GetMedia => _objects.DownloadAsync(context, route),
        RequestKind.ListObjects => _objects.ListAsync(context, route),
        RequestKind.DeleteObject => _objects.DeleteAsync(context, route),
        RequestKind.PatchObject or RequestKind.UpdateObject => _objects.PatchAsync(context, route),
        RequestKind.CopyObject or RequestKind.RewriteObject => _objects.CopyAsync(context, route),
        RequestKind.CreateBucket => _buckets.CreateAsync(context),
        RequestKind.GetBucket => _buckets.GetAsync(context, route),
        RequestKind.ListBuckets => _buckets.ListAsync(context),
        RequestKind.DeleteBucket => _buckets.DeleteAsync(context, route),
        _ => throw new InvalidOperationException($"{route.Kind} has no handler."),
    };

    /// <summary>The name that a fault plan's prefix is compared with.</summary>
    private static string NameFor(HttpContext context, GcsRoute route) => route.Kind switch
    {
        RequestKind.ListObjects => (string?)context.Request.Query["prefix"] ?? "",
        RequestKind.CopyObject or RequestKind.RewriteObject => route.TargetObject,
        _ => route.Object,
    };

    /// <summary>From the same clock as the objects' times: a client judges their age by it.</summary>
    private void SetDate(HttpContext context) => context.Response.Headers.Date = HeaderUtilities.FormatDate(_time.GetUtcNow());

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Method} {Path} failed")]
    private static partial void LogFailed(ILogger logger, Exception failure, string method, string path);
}
