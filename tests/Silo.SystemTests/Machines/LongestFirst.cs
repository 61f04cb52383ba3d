using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Silo.SystemTests.Machines.LongestFirst))]

namespace Silo.SystemTests.Machines;

/// <summary>What takes longest begins first, so that nothing is left to run alone at the end. It is only about time: any order passes.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest = [OneCluster.Name, nameof(RandomMixTests), nameof(OwnerFaultTests), nameof(SplitServiceTests), nameof(MigrationTests), nameof(StartTests)];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Place(collection.TestCollectionDisplayName)).ThenBy(collection => collection.TestCollectionDisplayName, StringComparer.Ordinal)];

    // A class that names no collection is one of its own, named after it.
    private static int Place(string collection)
    {
        var place = Array.FindIndex(Longest, name => collection.EndsWith(name, StringComparison.Ordinal) || collection.Contains($".{name} ", StringComparison.Ordinal));
        return place < 0 ? Longest.Length : place;
    }
}
