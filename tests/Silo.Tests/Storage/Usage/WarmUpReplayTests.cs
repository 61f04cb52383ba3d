using Silo.Benchmarks.Replay;
using Silo.Benchmarks.Scenarios;
using Silo.Storage.Usage;

namespace Silo.Tests.Storage.Usage;

/// <summary>The figures of the README, without a clock.</summary>
public sealed class WarmUpReplayTests
{
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(5);

    [Fact]
    public void Week_OfAThousandOrganizations_HasSixtyPercentFewerColdStartsForTwentyPercentMoreActiveHours()
    {
        var (plain, warmedUp) = WarmUpReplays.Compare(new UsageWeeks(1, 1_000, 5), Idle, new WarmUpOptions())["all"];
        Assert.InRange(plain.ColdStarts, 10_000, 200_000); // it is a week with something in it
        Assert.True(warmedUp.ColdStarts <= 0.4 * plain.ColdStarts, $"{warmedUp.ColdStarts} cold starts of {plain.ColdStarts}");
        Assert.True(warmedUp.ActiveHours <= 1.2 * plain.ActiveHours, $"{warmedUp.ActiveHours} active hours, {plain.ActiveHours} before");
    }

    [Fact]
    public void Replay_PlainTimeOut_CountsWhatAPersonWould()
    {
        var at = UsageWeeks.Begin;
        var replay = new WarmUpReplay(Idle, at.AddMinutes(10), at.AddHours(2));
        // The first is before what is counted; 4 minutes later it is still open, 20 minutes later it is not.
        var result = replay.Run([at.AddMinutes(8), at.AddMinutes(12), at.AddMinutes(32)], null, null);
        Assert.Equal(1, result.ColdStarts);
        Assert.Equal((7.0 + 5) / 60, result.ActiveHours, 6);
    }
}
