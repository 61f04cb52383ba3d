using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Gcs;
using Silo.Storage.Lease;

namespace Silo.Tests.Storage.Lease;

public sealed class KnownDeathsTests
{
    private static readonly HeadOwner Dead = new("cluster", "S10.0.0.1:11111:1", "then", "its folder");

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(0, 5)]
    [InlineData(2, 3)]
    [InlineData(5, 0)]
    [InlineData(20, 0)]
    public void DrainOf_SiloThatTheClusterDeclaredDead_IsWhatIsLeftForItsLitestream(int secondsAgo, int drainSeconds)
    {
        var deaths = Deaths(new LeaseOptions());
        deaths.Add("cluster", Dead.Silo);
        _time.Advance(TimeSpan.FromSeconds(secondsAgo));
        Assert.Equal(TimeSpan.FromSeconds(drainSeconds), DrainOf(Dead, deaths));
    }

    [Fact]
    public void DrainOf_SiloOfAnotherClusterOrAnotherLife_IsUnknown()
    {
        var deaths = Deaths(new LeaseOptions());
        deaths.Add("cluster", Dead.Silo);
        Assert.Null(DrainOf(Dead with { ClusterId = "other" }, deaths));
        Assert.Null(DrainOf(Dead with { Silo = "S10.0.0.1:11111:2" }, deaths));
    }

    [Fact]
    public void DrainOf_MembershipIsNotTrusted_IsUnknown()
    {
        var deaths = Deaths(new LeaseOptions { TrustMembership = false });
        deaths.Add("cluster", Dead.Silo);
        Assert.Null(DrainOf(Dead, deaths));
    }

    [Fact]
    public void Add_SameDeathAgain_CountsFromTheFirstTime()
    {
        var deaths = Deaths(new LeaseOptions());
        deaths.Add("cluster", Dead.Silo);
        _time.Advance(TimeSpan.FromSeconds(4));
        deaths.Add("cluster", Dead.Silo);
        Assert.Equal(TimeSpan.FromSeconds(1), DrainOf(Dead, deaths));
    }

    [Fact]
    public void Add_LongAfterAnother_ForgetsThatOne()
    {
        var deaths = Deaths(new LeaseOptions());
        deaths.Add("cluster", Dead.Silo);
        _time.Advance(TimeSpan.FromMinutes(5));
        deaths.Add("cluster", "S10.0.0.2:11111:1");
        Assert.Null(deaths.Since(Dead));
    }

    private KnownDeaths Deaths(LeaseOptions options) => new(Options.Create(options), _time);

    private static TimeSpan? DrainOf(HeadOwner owner, KnownDeaths deaths) =>
        new FormerOwner(new HeadOwner("cluster", "S10.0.0.3:11111:1", "now", "folder"), _ => false, deaths, new LeaseOptions())
            .DrainOf(new OrganizationHead { Epoch = 3, State = HeadState.Active, Owner = owner, OperationId = "o" });
}
