using Microsoft.Extensions.Options;
using Silo.Cluster.Databases;
using Silo.Cluster.Warming;
using Silo.Contracts;
using Silo.Storage.Databases;
using Silo.Storage.Usage;
using Silo.Tests.Storage.Catalog;

namespace Silo.Tests.Cluster;

public sealed class OrgActivationTests : IDisposable
{
    private static readonly OrganizationId Acme = OrganizationId.Parse("acme");

    private readonly CatalogFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void IdleTimeout_NotAdaptive_IsTheConfiguredOne() => Assert.Equal(300, Used(new WarmUpOptions(), 2).Status().IdleTimeoutSeconds);

    [Theory]
    [InlineData(60, 120, 2)] // comes back at the same intervals: it is opened for that again
    [InlineData(600, 3600, 2, 14, 7, 18, 4, 22, 11)]
    public void IdleTimeout_Adaptive_IsTheOrganizationsOwn(double least, double most, params int[] pauses) =>
        Assert.InRange(Used(new WarmUpOptions { AdaptiveIdle = true }, pauses).Status().IdleTimeoutSeconds, least, most);

    [Fact]
    public void IdleTimeout_OfOneThatWasOpenedForSomebody_EndsWhenTheyAreNotExpectedAnyMore()
    {
        var activation = Make(new WarmUpOptions());
        activation.Keep(TimeSpan.FromMinutes(20));
        _fixture.Time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(20 * 60, activation.Status().IdleTimeoutSeconds);
        activation.UsedForRead();
        Assert.Equal(5 * 60, activation.Status().IdleTimeoutSeconds);
    }

    /// <summary>Of an organization that was used at such intervals for more than a week, and just now.</summary>
    private OrgActivation Used(WarmUpOptions options, params int[] pauses)
    {
        var profile = new UsageProfile();
        var now = _fixture.Time.GetUtcNow();
        var at = now.AddDays(-8);
        for (var i = 0; at <= now; i++)
        {
            profile.Use(at);
            at = at.AddMinutes(pauses[i % pauses.Length]);
        }
        var activation = Make(options, profile);
        activation.UsedForRead();
        return activation;
    }

    private OrgActivation Make(WarmUpOptions options, UsageProfile? profile = null)
    {
        var usage = new UsageJournal(_fixture.Open(), Options.Create(options), _fixture.Time);
        if (profile is not null) usage.Learn(Acme, profile);
        return new OrgActivation(Acme, "silo", new IdleTimes(usage, Options.Create(new DatabaseOptions()), Options.Create(options), _fixture.Time), usage, _fixture.Time);
    }
}
