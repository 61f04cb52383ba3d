using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;

namespace Silo.Tests.Storage.Catalog;

/// <summary>What the catalog promises of usage, on whichever database it is.</summary>
internal static class UsageStory
{
    private static readonly DateTimeOffset Monday = new(2030, 1, 7, 9, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Uses are added, the most used come first, what changed is found page by page, and what is old is forgotten.</summary>
    public static async Task AddsAsync(OrganizationCatalog catalog)
    {
        OrganizationId[] ids = [.. ((string[])["often", "seldom", "once"]).Select(OrganizationId.Parse)];
        foreach (var id in ids) await AddAsync(catalog, id);
        Assert.Null(await catalog.AddUsesAsync(OrganizationId.Parse("nobody"), [Monday], Token));
        await catalog.AddUsesAsync(ids[2], [Monday.AddDays(-30)], Token);
        await catalog.AddUsesAsync(ids[1], [Monday, Monday.AddMinutes(5)], Token);
        await catalog.AddUsesAsync(ids[0], [Monday, Monday.AddMinutes(5)], Token);
        var last = await catalog.AddUsesAsync(ids[0], [.. Enumerable.Range(2, 20).Select(i => Monday.AddMinutes(5 * i))], Token);
        Assert.Equal(Monday.AddMinutes(105), last!.LastUse);

        var most = await catalog.ListMostUsedAsync(2, Token);
        Assert.Equal(["often", "seldom"], most.Select(usage => usage.Organization.Value));
        Assert.Equal(last.ToText(), most[0].Profile.ToText());

        var (found, since, after) = (new List<string>(), DateTimeOffset.UnixEpoch, default(OrganizationId?));
        while (await catalog.ListUsagesAsync(since, after, 1, Token) is [var next])
        {
            found.Add(next.Organization.Value);
            (since, after) = (next.ChangedAt, next.Organization);
        }
        Assert.Equal(["often", "once", "seldom"], found.Order());

        Assert.Equal(1, await catalog.ForgetUsagesAsync(Monday.AddDays(-1), Token));
        Assert.Equal(2, (await catalog.ListMostUsedAsync(10, Token)).Count);
    }

    /// <summary>Silos that add at once add to each other's; who had to give up says so.</summary>
    public static async Task ManyAtOnceAsync(OrganizationCatalog catalog)
    {
        var busy = OrganizationId.Parse("busy");
        await AddAsync(catalog, busy);
        for (var round = 0; round < 3; round++)
        {
            // Three times the same hours, so that none of the uses is too late to count.
            var added = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => catalog.AddUsesAsync(busy, [Monday.AddDays(round)], Token)));
            Assert.Contains(added, profile => profile is not null);
        }
        Assert.Equal(Monday.AddDays(2), Assert.Single(await catalog.ListMostUsedAsync(100, Token), usage => usage.Organization == busy).Profile.LastUse);
    }

    private static Task<Organization> AddAsync(OrganizationCatalog catalog, OrganizationId id) =>
        catalog.AddAsync(new NewOrganization(id, id.Value, OrganizationDbType.Sqlite, null, null), Token);
}
