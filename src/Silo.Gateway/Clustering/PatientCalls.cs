using Microsoft.Extensions.Options;
using Orleans.Runtime.Messaging;
using Polly;
using Polly.Retry;
using Silo.Contracts;

namespace Silo.Gateway.Clustering;

/// <summary>
/// Calls of an organization's database that are made again, within <see cref="GatewayOptions.RetryFor"/> of the first refusal and of each
/// death of a silo, while the organization moves to another silo: callers need not know that one left.
/// </summary>
/// <remarks>
/// A write whose answer was lost may have happened; it is repeated in a form that happens once at most, or, to replace a contact, in one
/// that leaves the same: what another caller made of that contact in between is replaced again, as if this call had come later. When none of its repetitions
/// is answered either, its caller is told of the first loss, and never that it was refused.
/// </remarks>
internal sealed class PatientCalls(LostCalls lostCalls, IOptions<GatewayOptions> options, TimeProvider time)
{
    /// <summary>A refusal that asks for more patience than this is the answer: something is wrong that does not pass by itself.</summary>
    private static readonly TimeSpan SoonEnough = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan MaxDelay = TimeSpan.FromMilliseconds(500);

    private readonly TimeSpan _limit = options.Value.RetryFor;

    /// <summary>Calls what changes nothing.</summary>
    public ValueTask<T> ReadAsync<T>(Func<CancellationToken, ValueTask<T>> call, CancellationToken cancellationToken) =>
        WriteAsync((_, token) => call(token), cancellationToken);

    /// <summary>Calls what may change something.</summary>
    /// <param name="call">Told whether a call like it may have happened already.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<T> WriteAsync<T>(Func<bool, CancellationToken, ValueTask<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await OnceAsync(call, false, cancellationToken);
        }
        catch (Exception e) when (_limit > TimeSpan.Zero && (IsRefused(e) || IsLost(e)))
        {
            return await RepeatAsync(call, IsLost(e) ? e : null, cancellationToken);
        }
    }

    private async ValueTask<T> OnceAsync<T>(Func<bool, CancellationToken, ValueTask<T>> call, bool isRepeated, CancellationToken cancellationToken)
    {
        var lost = lostCalls.Token;
        var answer = call(isRepeated, cancellationToken);
        if (!lost.CanBeCanceled || answer.IsCompleted) return await answer;
        try
        {
            return await answer.AsTask().WaitAsync(lost);
        }
        catch (OperationCanceledException e) when (lost.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new SiloUnavailableException("A silo died, and this call was not answered since.", e);
        }
    }

    // Built for the few calls that need it, so that all the others pay nothing.
    private async ValueTask<T> RepeatAsync<T>(Func<bool, CancellationToken, ValueTask<T>> call, Exception? loss, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var pipeline = new ResiliencePipelineBuilder<T> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<T>
            {
                ShouldHandle = attempt =>
                {
                    if (attempt.Outcome.Exception is not { } e || !(IsRefused(e) || IsLost(e))) return ValueTask.FromResult(false);
                    if (IsLost(e)) loss ??= e;
                    // Nobody has refused it; and of silos, each dies once.
                    if (IsGivenUp(e)) begun = time.GetTimestamp();
                    return ValueTask.FromResult(time.GetElapsedTime(begun) < _limit);
                },
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = FirstDelay,
                MaxDelay = MaxDelay,
            })
            .Build();
        await Task.Delay(FirstDelay, time, cancellationToken);
        try
        {
            return await pipeline.ExecuteAsync(token => OnceAsync(call, loss is not null, token), cancellationToken);
        }
        catch (Exception e) when (loss is not null && (e is not OrganizationException refusal || refusal.RetryAfter is not null))
        {
            // What refuses now says nothing of the call that was lost.
            throw loss;
        }
    }

    /// <summary>By <see cref="LostCalls"/>.</summary>
    private static bool IsGivenUp(Exception e) => e is SiloUnavailableException { InnerException: OperationCanceledException };

    /// <summary>Nothing was done, and soon it can be.</summary>
    private static bool IsRefused(Exception e) => e switch
    {
        OrganizationException { Code: OrganizationErrorCode.DatabaseUnavailable, RetryAfter: { } after } => after <= SoonEnough,
        SiloUnavailableException => false,
        // Sent back by a silo that did not take it, or never sent.
        OrleansMessageRejectionException or ConnectionFailedException => true,
        _ => false,
    };

    /// <summary>It may have been done.</summary>
    private static bool IsLost(Exception e) => e is SiloUnavailableException or OrganizationException { Code: OrganizationErrorCode.DatabaseMoved } or OrganizationException { MayHaveHappened: true };
}
