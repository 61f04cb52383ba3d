using Silo.Cluster.Hosting;

namespace Silo.Tests.Cluster;

public sealed class RoundsTests
{
    [Fact]
    public async Task Round_ThatSomebodyElseCancels_IsNotTheLast()
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var (rounds, failures) = (0, 0);
        await new Rounds(TimeSpan.Zero, TimeProvider.System).RunAsync(
            async _ =>
            {
                if (++rounds == 1) throw new TaskCanceledException("The database is put away.");
                await stopping.CancelAsync();
            },
            _ => failures++,
            stopping.Token);
        Assert.Equal((2, 1), (rounds, failures));
    }
}
