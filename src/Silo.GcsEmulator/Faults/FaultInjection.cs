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
        if (decision.Delay > TimeSpan.Zero) await WaitAsync(context, decision.Delay, decision.PlanChanged);
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
            case { Action: FaultAction.Stall } fault:
                var length = fault.DelayMs is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : Timeout.InfiniteTimeSpan;
                await WaitAsync(context, length, decision.PlanChanged);
                context.Abort();
                break;
            default:
                context.Abort();
                break;
        }
    }

    /// <summary>Ends early when the plan changes; throws when the client goes away.</summary>
    private async Task WaitAsync(HttpContext context, TimeSpan length, CancellationToken planChanged)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, planChanged);
        try
        {
            await Task.Delay(length, time, either.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
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
