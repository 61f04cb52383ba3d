namespace Silo.SystemTests.Machines;

/// <summary>Stories of whole clusters, which have six programs and a Litestream for each organization. One runs at a time, beside others that are not of them.</summary>
[CollectionDefinition(Name)]
public sealed class OneCluster
{
    public const string Name = "one cluster";
}
