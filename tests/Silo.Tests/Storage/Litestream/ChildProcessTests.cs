using System.Diagnostics;
using Silo.Storage.Litestream;

namespace Silo.Tests.Storage.Litestream;

public sealed class ChildProcessTests
{
    [Fact]
    public async Task GroupNiceness_OfASessionOfItsOwn_IsSet()
    {
        using var sleep = Process.Start("setsid", ["sleep", "60"]);
        try
        {
            var child = ChildProcess.Find(sleep.Id)!.Value;
            await Eventually.IsAsync(() => child.TrySetGroupNiceness(19), "the kernel takes the niceness");

            // Kernels without such groups have no such file, and nothing to set.
            if (File.Exists($"/proc/{sleep.Id}/autogroup"))
                Assert.EndsWith("nice 19", (await File.ReadAllTextAsync($"/proc/{sleep.Id}/autogroup", TestContext.Current.CancellationToken)).TrimEnd(), StringComparison.Ordinal);
        }
        finally
        {
            sleep.Kill();
        }
    }

    [Fact]
    public void GroupNiceness_OfOurOwnSession_IsLeftAlone()
    {
        using var sleep = Process.Start("sleep", ["60"]);
        try
        {
            Assert.False(ChildProcess.Find(sleep.Id)!.Value.TrySetGroupNiceness(19));
        }
        finally
        {
            sleep.Kill();
        }
    }
}
