namespace Silo.SystemTests.Faults;

/// <summary>Something that goes wrong in the middle of the traffic, and is put right again.</summary>
internal interface IFault
{
    /// <summary>What it is, with its parameters: the report of a round.</summary>
    string ToString();

    /// <summary>What it counts as.</summary>
    string Kind { get; }

    Task BeginAsync(World world);

    Task HealAsync(World world);
}
