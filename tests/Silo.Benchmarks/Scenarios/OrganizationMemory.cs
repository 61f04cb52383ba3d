using System.Globalization;
using Silo.Benchmarks.Machine;

namespace Silo.Benchmarks.Scenarios;

/// <summary>Memory of a server's processes, and each active organization's part of what is more than with a single one.</summary>
/// <param name="Processes">How many processes.</param>
/// <param name="TotalMb">All of them.</param>
/// <param name="RootMb">The server's own process.</param>
/// <param name="PerOrganizationMb">One organization's part.</param>
/// <param name="ServerMb">Of it, in the server's own process.</param>
/// <param name="LitestreamMb">Of it, in Litestream.</param>
/// <param name="TetherMb">Of it, in the <c>cat</c> of each Litestream.</param>
internal sealed record OrganizationMemory(
    int Processes, double TotalMb, double RootMb, double PerOrganizationMb, double ServerMb, double LitestreamMb, double TetherMb)
{
    /// <param name="pid">The server.</param>
    /// <param name="organizations">How many are active.</param>
    /// <param name="one">The same with one organization; null when this is it.</param>
    public static OrganizationMemory Read(int pid, int organizations, OrganizationMemory? one)
    {
        var tree = ProcessTree.Of(pid);
        var total = tree.MemoryMb();
        var (litestream, tether) = (tree.MemoryMb("litestream"), tree.MemoryMb("cat"));
        var root = total - litestream - tether;
        var more = Math.Max(1, organizations - 1);
        return new OrganizationMemory(
            tree.Processes.Count, total, root,
            one is null ? 0 : (total - one.TotalMb) / more,
            one is null ? 0 : (root - one.RootMb) / more,
            litestream / organizations, tether / organizations);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{PerOrganizationMb:0.0} MB each ({ServerMb:0.0} in the server, {LitestreamMb:0.0} in Litestream, {TetherMb:0.0} in tether), {TotalMb:0} MB in {Processes} processes");
}
