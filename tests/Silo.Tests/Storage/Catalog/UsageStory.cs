using Silo.Contracts;
using Silo.Contracts.Organizations;
using Silo.Storage.Catalog;
using Silo.Storage.Usage;

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
        Assert.Null(await AddUsesAsync(catalog, OrganizationId.Parse("nobody"), Monday));
        var added = await catalog.AddUsesAsync(
            new Dictionary<OrganizationId, IReadOnlyList<DateTimeOffset>>
            {
                [ids[2]] = [Monday.AddDays(-30)],
                [OrganizationId.Parse("nobody")] = [Monday],
                [ids[1]] = [Monday, Monday.AddMinutes(5)],
                [ids[0]] = [Monday, Monday.AddMinutes(5)],
            },
            Token);
        Assert.Equal(["often", "once", "seldom"], added.Keys.Select(id => id.Value).Order());
        var last = await AddUsesAsync(catalog, ids[0], [.. Enumerable.Range(2, 20).Select(i => Monday.AddMinutes(5 * i))]);
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

    /// <summary>Silos that add at once add to each other's, also where one adds of many and another of some of them; who had to give up says so.</summary>
    public static async Task ManyAtOnceAsync(OrganizationCatalog catalog)
    {
        OrganizationId[] busy = [.. Enumerable.Range(0, OrganizationCatalog.MaxUsageBatch).Select(i => OrganizationId.Parse($"busy-{i}"))];
        foreach (var id in busy) await AddAsync(catalog, id);
        for (var round = 0; round < 3; round++)
        {
            // Four times the same hours, so that none of the uses is too late to count.
            var at = Monday.AddDays(round);
            var added = await Task.WhenAll(Enumerable.Range(0, 4).Select(silo => catalog.AddUsesAsync(
                busy.Skip(silo).Reverse().ToDictionary(id => id, IReadOnlyList<DateTimeOffset> (_) => [at]), Token)));
            Assert.Equal(busy.Length, added.SelectMany(profiles => profiles.Keys).Distinct().Count());
        }
        var known = (await catalog.ListMostUsedAsync(OrganizationCatalog.MaxUsages, Token)).ToDictionary(usage => usage.Organization, usage => usage.Profile.LastUse);
        Assert.All(busy, id => Assert.Equal(Monday.AddDays(2), known[id]));
    }

    /// <summary>Adds uses of one organization.</summary>
    public static async Task<UsageProfile?> AddUsesAsync(OrganizationCatalog catalog, OrganizationId id, params IReadOnlyList<DateTimeOffset> uses) =>
        (await catalog.AddUsesAsync(new Dictionary<OrganizationId, IReadOnlyList<DateTimeOffset>> { [id] = uses }, Token)).GetValueOrDefault(id);

    private static Task<Organization> AddAsync(OrganizationCatalog catalog, OrganizationId id) =>
        catalog.AddAsync(new NewOrganization(id, id.Value, OrganizationDbType.Sqlite, null, null), Token);
}
