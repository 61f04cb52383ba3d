using Silo.Storage.Usage;

namespace Silo.Tests.Storage.Usage;

public sealed class UsageForecastTests
{
    private static readonly DateTimeOffset Monday = new(2030, 1, 7, 0, 0, 0, TimeSpan.Zero);
    private static readonly UsageForecast Forecast = new WarmUpOptions { ColdStartWorth = TimeSpan.FromMinutes(20) }.Forecast();

    [Fact]
    public void Wait_LittleKnown_IsLeftToTheDefault() => Assert.Null(Forecast.Wait(Used(Monday, Monday.AddMinutes(7)), Monday.AddMinutes(7)));

    [Fact]
    public void Wait_PausesOfSevenMinutes_IsLongEnough() =>
        Assert.InRange(Forecast.Wait(Every(TimeSpan.FromMinutes(7), 200, out var last), last)!.Value, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(9));

    [Fact]
    public void Wait_PausesOfHalfADay_IsTheShortest() => Assert.Equal(TimeSpan.FromMinutes(1), Forecast.Wait(Every(TimeSpan.FromHours(13), 40, out var last), last));

    [Fact]
    public void Next_EveryQuarterOfAnHour_IsShortlyBeforeTheNext()
    {
        var profile = Every(TimeSpan.FromMinutes(15), 4 * 24 * 8, out var last);
        var next = Forecast.Next(profile, last.AddMinutes(1), last.AddHours(1))!.Value;
        Assert.InRange(last.AddMinutes(15), next.From, next.Until);
        Assert.InRange(next.Until - next.From, TimeSpan.Zero, TimeSpan.FromMinutes(6));
    }

    [Fact]
    public void Next_SameTimeOfTheWeekOverAnHoursEnd_IsOpenedAheadThenAndOnlyUntilItHasCome()
    {
        var profile = new UsageProfile();
        for (var week = 0; week < 6; week++) profile.Use(Monday.AddDays(7 * week).AddHours(9).AddMinutes(week % 2 == 0 ? -1 : 1));
        var ninth = Monday.AddDays(42).AddHours(9);
        var next = Forecast.Next(profile, ninth.AddDays(-1), ninth.AddDays(1))!.Value;
        Assert.InRange(ninth, next.From, next.Until);
        Assert.Null(Forecast.Next(profile, ninth.AddDays(-1), ninth.AddHours(-2)));
        profile.Use(ninth);
        Assert.Null(Forecast.Next(profile, ninth.AddMinutes(1), ninth.AddHours(2)));
    }

    [Fact]
    public void Likelihood_WeeksWithoutUse_GetsSmaller()
    {
        var profile = Used([.. Enumerable.Range(0, 4).Select(week => Monday.AddDays(7 * week))]);
        var seen = Enumerable.Range(4, 8).Select(week => profile.Likelihood(Monday.AddDays(7 * week))).ToList();
        Assert.True(seen[0] > 0.8);
        Assert.Equal(seen.OrderDescending(), seen);
        Assert.True(seen[^1] < 0.1);
        Assert.Equal(0, profile.Likelihood(Monday.AddDays(28).AddHours(3)));
    }

    [Fact]
    public void Rank_OftenLongAgoAndSeldomOfLate_OrdersByBoth()
    {
        var longAgo = Used([.. Enumerable.Range(0, 100).Select(i => Monday.AddMinutes(2 * i))]);
        var ofLate = Used(Monday.AddDays(28), Monday.AddDays(28).AddMinutes(2));
        var oftenOfLate = Used([.. Enumerable.Range(0, 100).Select(i => Monday.AddDays(28).AddMinutes(2 * i))]);
        Assert.True(longAgo.Rank < ofLate.Rank);
        Assert.True(ofLate.Rank < oftenOfLate.Rank);
    }

    [Fact]
    public void Text_OfAProfile_IsBoundedAndSaysTheSame()
    {
        var profile = Every(TimeSpan.FromMinutes(15), 3_000, out var last);
        var text = profile.ToText();
        Assert.InRange(text.Length, 100, UsageProfile.MaxTextLength);
        var again = UsageProfile.TryParse(text)!;
        Assert.Equal((text, profile.LastUse, profile.Rank), (again.ToText(), again.LastUse, again.Rank));
        Assert.Equal(Forecast.Wait(profile, last), Forecast.Wait(again, last));
        foreach (var bad in (string[])["", "?", "AAAA", text[4..], text + text]) Assert.Null(UsageProfile.TryParse(bad));
    }

    private static UsageProfile Used(params DateTimeOffset[] uses)
    {
        var profile = new UsageProfile();
        foreach (var use in uses) profile.Use(use);
        return profile;
    }

    private static UsageProfile Every(TimeSpan pause, int uses, out DateTimeOffset last)
    {
        last = Monday + ((uses - 1) * pause);
        return Used([.. Enumerable.Range(0, uses).Select(i => Monday + (i * pause))]);
    }
}
