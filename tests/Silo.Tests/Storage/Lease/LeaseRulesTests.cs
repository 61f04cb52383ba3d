using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Silo.Storage.Databases;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

/// <summary>The small rules that leases are made of.</summary>
public sealed class LeaseRulesTests
{
    private static readonly HeadOwner Self = new("cluster", "silo", "now", "folder");

    private static LeaseOptions Bind(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build();
        return new ServiceCollection().AddOrgDatabases(configuration).BuildServiceProvider().GetRequiredService<IOptions<LeaseOptions>>().Value;
    }

    [Fact]
    public void Options_AsConfigured_AreBound()
    {
        var options = Bind(("Lease:TimeToLive", "00:00:20"), ("Lease:RenewInterval", "00:00:04"), ("Lease:SafetyMargin", "00:00:03"), ("Lease:DrainTime", "00:00:02"));
        Assert.Equal((20, 4, 3, 2), (options.TimeToLive.TotalSeconds, options.RenewInterval.TotalSeconds, options.SafetyMargin.TotalSeconds, options.DrainTime.TotalSeconds));
        Assert.Equal(30, Bind().TimeToLive.TotalSeconds);
    }

    [Theory]
    [InlineData("Lease:TimeToLive", "00:00:15")] // no more than 10 s and 5 s
    [InlineData("Lease:RenewInterval", "00:00:25")]
    [InlineData("Lease:SafetyMargin", "00:00:20")]
    [InlineData("Lease:DrainTime", "-00:00:01")]
    public void Options_OutOfRange_AreRefused(string key, string value) =>
        Assert.Contains(key.Split(':')[1], Assert.Throws<OptionsValidationException>(() => Bind((key, value))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("other", "silo", false, null)] // another folder: it may live
    [InlineData(null, "silo", false, null)] // a head of before folders were named
    [InlineData("folder", "silo", false, 0)] // this process: what failed here ended its own
    [InlineData("folder", "before", true, 0)] // another life, and its Litestream is known to have ended
    [InlineData("folder", "before", false, 5)] // another life, and nothing is known of its Litestream
    public void FormerOwner_IsDeadOnlyWithProof(string? folder, string silo, bool isLitestreamEnded, int? drainSeconds)
    {
        var head = new OrganizationHead
        {
            Epoch = 3,
            State = HeadState.Active,
            Owner = new HeadOwner("cluster", silo, "then", folder),
            OperationId = "o",
        };
        var former = new FormerOwner(Self, epoch => epoch == 3 && isLitestreamEnded, new KnownDeaths(Options.Create(new LeaseOptions()), TimeProvider.System), new LeaseOptions());
        Assert.Equal(drainSeconds, (int?)former.DrainOf(head)?.TotalSeconds);
    }

    [Fact]
    public void Term_CountsFromTheSend_AndEndsBeforeTheLease()
    {
        var term = new LeaseTerm(new LeaseOptions());
        Assert.False(term.IsRunning(TimeSpan.Zero));
        term.Extend(TimeSpan.FromSeconds(100));
        Assert.True(term.IsRunning(TimeSpan.FromSeconds(124.9)));
        Assert.False(term.IsRunning(TimeSpan.FromSeconds(125)));
        term.Extend(TimeSpan.FromSeconds(90)); // an answer that overtook another
        Assert.True(term.IsRunning(TimeSpan.FromSeconds(124.9)));
    }

    [Fact]
    public async Task Check_AskedMeanwhile_LooksOnceMoreForAll()
    {
        var looks = new List<TaskCompletionSource>();
        var check = new HeadCheck(() =>
        {
            looks.Add(new TaskCompletionSource());
            return looks[^1].Task;
        });
        var first = check.RunAsync();
        var others = Enumerable.Range(0, 10).Select(_ => check.RunAsync()).ToList();
        Assert.Single(looks);

        looks[0].SetException(new TimeoutException());
        await Assert.ThrowsAsync<TimeoutException>(() => first);
        await Eventually.IsAsync(() => looks.Count == 2, "the others' look begins after the first has ended");
        Assert.All(others, other => Assert.False(other.IsCompleted));
        looks[1].SetResult();
        await Task.WhenAll(others);
        Assert.Equal(2, looks.Count);
    }
}
