using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Contracts;
using Silo.Gateway;
using Silo.Gateway.Clustering;

namespace Silo.Tests.Gateway;

public sealed class PatientCallsTests
{
    private static readonly OrganizationException Moving = new(OrganizationErrorCode.DatabaseUnavailable, "It is being put away.") { RetryAfter = TimeSpan.FromSeconds(1) };

    private static readonly OrganizationException Moved = new(OrganizationErrorCode.DatabaseMoved, "Another owner has it.") { RetryAfter = TimeSpan.FromSeconds(1) };

    private readonly LostCalls _lost = new();
    private readonly List<bool> _calls = [];

    [Fact]
    public async Task Write_RefusedWhileTheDatabaseMoves_IsRepeatedAsNew()
    {
        Assert.Equal("done", await WriteAsync(Moving, Moving, null));
        Assert.Equal([false, false, false], _calls);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task Write_AnswerLost_IsRepeatedAsOneThatMayHaveHappened(string loss)
    {
        Assert.Equal("done", await WriteAsync(Loss(loss), Moving, null));
        Assert.Equal([false, true, true], _calls);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task Write_AnswerLostAndThenRefused_SaysThatItWasLost(string loss)
    {
        var thrown = await Assert.ThrowsAnyAsync<Exception>(() => WriteAsync(Loss(loss), new OrganizationException(OrganizationErrorCode.TooManyRequests, "Full.") { RetryAfter = TimeSpan.FromSeconds(1) }));
        Assert.Equal(Loss(loss).GetType(), thrown.GetType());
        Assert.NotEqual(OrganizationErrorCode.TooManyRequests, (thrown as OrganizationException)?.Code);
    }

    [Fact]
    public async Task Write_AnswerLostAndThenKnown_SaysWhatIsKnown()
    {
        var thrown = await Assert.ThrowsAsync<OrganizationException>(() => WriteAsync(Moved, new OrganizationException(OrganizationErrorCode.ContactExists, "It is there.")));
        Assert.Equal(OrganizationErrorCode.ContactExists, thrown.Code);
    }

    [Fact]
    public async Task Write_RefusedForLonger_IsNotRepeated()
    {
        var refusal = new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The replica is damaged.") { RetryAfter = TimeSpan.FromSeconds(30) };
        Assert.Same(refusal, await Assert.ThrowsAsync<OrganizationException>(() => WriteAsync(refusal)));
        Assert.Single(_calls);
    }

    [Fact]
    public async Task Write_RefusedTillTheLimit_GetsTheRefusal()
    {
        var calls = Calls(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAsync<OrganizationException>(async () => await calls.WriteAsync<string>((_, _) => throw Count(Moving), TestContext.Current.CancellationToken));
        Assert.True(_calls.Count > 1);
    }

    [Fact]
    public async Task Write_NoPatience_IsCalledOnce()
    {
        var calls = Calls(TimeSpan.Zero);
        await Assert.ThrowsAsync<OrganizationException>(async () => await calls.WriteAsync<string>((_, _) => throw Count(Moving), TestContext.Current.CancellationToken));
        Assert.Single(_calls);
    }

    [Fact]
    public async Task Read_WhoseSiloDiesUnheard_IsMadeAgain()
    {
        _lost.Begin();
        var never = new TaskCompletionSource<string>();
        var calls = Calls(TimeSpan.FromSeconds(30));
        var reading = calls.ReadAsync(_ => _calls.Count == 0 ? Wait(never) : new ValueTask<string>("done"), TestContext.Current.CancellationToken).AsTask();
        Assert.False(reading.IsCompleted);
        await _lost.Renew().CancelAsync();
        Assert.Equal("done", await reading);

        ValueTask<string> Wait(TaskCompletionSource<string> answer)
        {
            _calls.Add(false);
            return new(answer.Task);
        }
    }

    [Fact]
    public async Task Read_WhoseSecondSiloDiesLater_IsMadeAgain()
    {
        var time = new FakeTimeProvider();
        _lost.Begin();
        var never = new TaskCompletionSource<string>();
        var reading = Calls(TimeSpan.FromSeconds(5), time).ReadAsync(
            _ =>
            {
                _calls.Add(false);
                return _calls.Count < 3 ? new ValueTask<string>(never.Task) : new("done");
            },
            TestContext.Current.CancellationToken).AsTask();
        await _lost.Renew().CancelAsync();
        await PassUntilAsync(() => _calls.Count == 2, "it is made again");
        time.Advance(TimeSpan.FromSeconds(10));
        await _lost.Renew().CancelAsync();
        await PassUntilAsync(() => reading.IsCompleted, "it is made once more");
        Assert.Equal("done", await reading);

        Task PassUntilAsync(Func<bool> look, string what) => Eventually.IsAsync(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(100));
                return look();
            },
            what);
    }

    [Fact]
    public async Task Read_WhoseCallerLeaves_EndsThere()
    {
        _lost.Begin();
        using var caller = new CancellationTokenSource();
        var reading = Calls(TimeSpan.FromSeconds(30)).ReadAsync(token => new ValueTask<string>(new TaskCompletionSource<string>().Task.WaitAsync(token)), caller.Token).AsTask();
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    public static TheoryData<string> Losses => ["silo died", "database moved"];

    private static Exception Loss(string name) => name == "silo died" ? new SiloUnavailableException("gone") : Moved;

    private PatientCalls Calls(TimeSpan limit, TimeProvider? time = null) => new(_lost, Options.Create(new GatewayOptions { RetryFor = limit }), time ?? TimeProvider.System);

    /// <summary>A write that fails like this, time after time; null: it succeeds.</summary>
    private Task<string> WriteAsync(params Exception?[] outcomes) => Calls(TimeSpan.FromSeconds(30)).WriteAsync(
        (isRepeated, _) =>
        {
            _calls.Add(isRepeated);
            return outcomes[_calls.Count - 1] is { } failure ? throw failure : new ValueTask<string>("done");
        },
        TestContext.Current.CancellationToken).AsTask();

    private OrganizationException Count(OrganizationException refusal)
    {
        _calls.Add(false);
        return refusal;
    }
}
