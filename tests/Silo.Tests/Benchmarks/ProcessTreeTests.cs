using System.Diagnostics;
using Silo.Benchmarks.Machine;

namespace Silo.Tests.Benchmarks;

public sealed class ProcessTreeTests
{
    [Fact]
    public void Stat_WithOddCommand_IsParsed() => Assert.Equal(
        new ProcessStat(42, "a (b) c", 7, 1 + 2 + 30 + 40),
        ProcessStat.Parse("42 (a (b) c) S 7 42 42 0 -1 4194560 1 2 3 4 1 2 30 40 20 0 1 0 100 200 300"));

    [Fact]
    public void Rollup_OfAProcess_IsParsed() => Assert.Equal(
        new MemoryRollup(1676, 236, 112),
        MemoryRollup.Parse("558c70ada000-7ffdd5702000 ---p 00000000 00:00 0   [rollup]\nRss:       1676 kB\nPss:        236 kB\nPss_Anon:   112 kB\n"));

    [Fact]
    public void Memory_OfThisProcess_IsThatOfTheKernel()
    {
        var memory = MemoryRollup.Read(Environment.ProcessId)!.Value;

        Assert.InRange(memory.Pss, 1024, Process.GetCurrentProcess().WorkingSet64 * 2 / 1024);
        Assert.InRange(memory.Anonymous, 1, memory.Pss);
    }

    [Fact]
    public async Task Tree_WithAChild_HasItsMemoryAndKeepsItsCpu()
    {
        using var child = Process.Start(new ProcessStartInfo("sh", ["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; read line"]) { RedirectStandardInput = true })!;
        var tree = ProcessTree.Of(Environment.ProcessId);
        Assert.Equal(Environment.ProcessId, tree.Processes[0].Pid);
        Assert.Contains(tree.Processes, process => process.Pid == child.Id && process.Parent == Environment.ProcessId);
        Assert.True(tree.MemoryMb() > tree.MemoryMb("sh"));

        await child.StandardInput.WriteLineAsync();
        var before = tree.Cpu;
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);

        // What the child used is its parent's now.
        Assert.True(ProcessTree.Of(Environment.ProcessId).Cpu >= before + TimeSpan.FromMilliseconds(20));
    }
}
