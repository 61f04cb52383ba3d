namespace Silo.SystemTests.Machines;

/// <summary>Stories that need the whole machine: a cluster has six programs and a Litestream for each organization. They run one by one, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeMachine
{
    public const string Name = "whole machine";
}
