using Microsoft.AspNetCore.Http.Features;
using Silo.GcsEmulator.Http;

namespace Silo.GcsEmulator.Faults;

/// <summary>Carries a request out, or does to it what the plan says.</summary>
internal sealed class FaultInjection(FaultPlan plan, TimeProvider time)
{
    public Task RunAsync(HttpContext context, RequestKind kind, string name, Func<Task> operation)
    {
        var decision = plan.Decide(context.Request.Method, kind, name);
        return decision is { Fault: null, Delay.Ticks: 0 } ? operation() : RunAsync(context, decision, operation);
    }

    private async Task RunAsync(HttpContext context, FaultDecision decision, Func<Task> operation)
    {
        if (decision.Delay > TimeSpan.Zero) await WaitAsync(decision.Delay, decision.PlanChanged, context.RequestAborted);
        switch (decision.Fault)
        {
            case null:
                await operation();
                break;
            case { Action: FaultAction.Status, Status: { } status }:
                // The body is taken first: an answer that comes too early is lost in the client's broken pipe.
                await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
                throw GcsRefusal.Planned(status);
            case { Action: FaultAction.Drop, AfterBytes: { } bytes }:
                CutStream.Arm(context, bytes);
                await operation();
                break;
            case { Action: FaultAction.LoseAnswer } fault:
                await LoseAnswerAsync(context, operation);
                if (fault.Status is { } instead) throw GcsRefusal.Planned(instead);
                context.Abort();
                break;
            case { Action: FaultAction.Late } fault:
                context.Features.Set(new LateUpload(() => WaitAsync(LengthOf(fault), decision.PlanChanged, CancellationToken.None)));
                await operation();
                break;
            case { Action: FaultAction.Stall } fault:
                await WaitAsync(LengthOf(fault), decision.PlanChanged, context.RequestAborted);
                context.Abort();
                break;
            default:
                context.Abort();
                break;
        }
    }

    private static TimeSpan LengthOf(Fault fault) => fault.DelayMs is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : Timeout.InfiniteTimeSpan;

    /// <summary>Ends early when the plan changes; throws when the client goes away.</summary>
    private async Task WaitAsync(TimeSpan length, CancellationToken planChanged, CancellationToken gone)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(gone, planChanged);
        try
        {
            await Task.Delay(length, time, either.Token);
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            // The plan changed.
        }
    }

    private static async Task LoseAnswerAsync(HttpContext context, Func<Task> operation)
    {
        var answer = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
        try
        {
            await operation();
        }
        catch (GcsRefusal)
        {
            // A refusal is an answer too, and is lost like one.
        }
        finally
        {
            context.Features.Set(answer);
        }
    }
}

/// <summary>Of a request whose upload is to be carried out late.</summary>
/// <param name="wait">Waits until then.</param>
internal sealed class LateUpload(Func<Task> wait)
{
    /// <summary>Waits, if this request is a late one: to be asked once its body was taken.</summary>
    public static Task WaitAsync(HttpContext context) => context.Features.Get<LateUpload>()?.RunAsync() ?? Task.CompletedTask;

    private Task RunAsync() => wait();
}
