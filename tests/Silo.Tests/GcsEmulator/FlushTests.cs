using System.Text;

namespace Silo.Tests.GcsEmulator;

/// <summary>What waits for the disk, by the emulator's own count: a power cut cannot be had in a test.</summary>
public sealed class FlushTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Changes_WithFlush_WaitForTheDiskOncePerFile()
    {
        await using var emulator = await Emulator.StartAsync(flush: true);
        Assert.Equal(2, await FlushesAsync(emulator, () => emulator.PutAsync("x", "1"))); // content and journal
        Assert.Equal(2, await FlushesAsync(emulator, () => emulator.PutAsync("x", "")));
        Assert.Equal(1, await FlushesAsync(emulator, () => emulator.Http.PatchAsync(Emulator.ObjectPath("x"), new StringContent("{}", Encoding.UTF8), Cancellation)));
        Assert.Equal(1, await FlushesAsync(emulator, () => emulator.Http.DeleteAsync(Emulator.ObjectPath("x"), Cancellation)));
        Assert.Equal(0, await FlushesAsync(emulator, () => emulator.ListAsync()));
    }

    [Fact]
    public async Task Changes_WithoutFlush_WaitForNoDisk()
    {
        await using var emulator = await Emulator.StartAsync();
        Assert.Equal(0, await FlushesAsync(emulator, () => emulator.PutAsync("x", "1")));
    }

    [Fact]
    public async Task Upload_WithFlush_WaitsForEveryPieceThatIsConfirmed()
    {
        await using var emulator = await Emulator.StartAsync(flush: true);
        Uri session = null!;
        Assert.Equal(1, await FlushesAsync(emulator, async () => session = await emulator.BeginResumableAsync("x")));
        Assert.Equal(1, await FlushesAsync(emulator, () => emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray())));
        Assert.Equal(0, await FlushesAsync(emulator, () => emulator.SendPieceAsync(session, "bytes */*", [])));
        Assert.Equal(1, await FlushesAsync(emulator, () => emulator.SendPieceAsync(session, "bytes */3", []))); // the journal
    }

    [Fact]
    public async Task Changes_ManyAtOnce_ShareTheWaits()
    {
        const int Writers = 16, Writes = 25;
        await using var emulator = await Emulator.StartAsync(flush: true);
        await emulator.PutAsync("x", "1");
        var flushes = await FlushesAsync(emulator, () => Task.WhenAll(Enumerable.Range(0, Writers).Select(async _ =>
        {
            for (var number = 0; number < Writes; number++)
            {
                using var patched = await emulator.Http.PatchAsync(Emulator.ObjectPath("x"), new StringContent("{}", Encoding.UTF8), Cancellation);
                patched.EnsureSuccessStatusCode();
            }
        })));
        Assert.InRange(flushes, 1, (Writers * Writes) - 1);
        await emulator.RestartAsync();
        Assert.Equal($"{1 + (Writers * Writes)}", (await emulator.GetAsync("x")).Metageneration);
    }

    private static async Task<int> FlushesAsync(Emulator emulator, Func<Task> change)
    {
        var before = await CountAsync(emulator);
        await change();
        return await CountAsync(emulator) - before;
    }

    private static async Task<int> CountAsync(Emulator emulator) => (await emulator.StatisticsAsync()).GetProperty("flushes").GetInt32();
}
