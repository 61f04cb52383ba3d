using System.Net;
using System.Text;
using Microsoft.Extensions.Options;
using Silo.GcsEmulator;
using Silo.GcsEmulator.Store;

namespace Silo.Tests.GcsEmulator;

public sealed class RestartTests
{
    [Fact]
    public async Task Restart_AfterEveryKindOfChange_KeepsEverything()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("gone", "1");
        await emulator.PutAsync("replaced", "old");
        await emulator.PutAsync("replaced", "new");
        await Emulator.ObjectAsync(await emulator.InsertMultipartAsync("""{"name":"patched","metadata":{"k":"v"}}""", [1, 2]));
        using var patched = await emulator.Http.PatchAsync(
            Emulator.ObjectPath("patched"), new StringContent("""{"cacheControl":"c"}""", Encoding.UTF8), TestContext.Current.CancellationToken);
        using var deleted = await emulator.Http.DeleteAsync(Emulator.ObjectPath("gone"), TestContext.Current.CancellationToken);
        var before = await emulator.Http.GetStringAsync(Emulator.ObjectsPath, TestContext.Current.CancellationToken);
        var port = emulator.Http.BaseAddress!.Port;

        await emulator.RestartAsync();

        var after = await emulator.Http.GetStringAsync(Emulator.ObjectsPath, TestContext.Current.CancellationToken);
        Assert.Equal(before.Replace($":{port}/", ":0/"), after.Replace($":{emulator.Http.BaseAddress.Port}/", ":0/"));
        Assert.Equal("new"u8.ToArray(), await emulator.ReadAsync("replaced"));
        var statistics = await emulator.StatisticsAsync();
        Assert.Equal((2, 5), (statistics.GetProperty("objects").GetInt32(), statistics.GetProperty("storedBytes").GetInt32()));
    }

    [Fact]
    public async Task Restart_AfterTornJournalLineAndHalfWrittenContent_ForgetsBoth()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        await emulator.StopAsync();
        var journal = Path.Combine(emulator.BucketFolder, "journal");
        var whole = await File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken);
        var lastLine = whole.AsSpan(0, whole.Length - 1).LastIndexOf((byte)'\n') + 1;
        await File.WriteAllBytesAsync(journal, [.. whole, .. whole[lastLine..^9]], TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(emulator.BucketFolder, "content", "ff"), "half", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(emulator.Folder, "sessions", "abc.new"), "{", TestContext.Current.CancellationToken);

        await emulator.StartServerAsync();

        Assert.Equal(["x"], (await emulator.ListAsync()).Names);
        Assert.Equal(whole, await File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken));
        Assert.Single(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")));
        await emulator.PutAsync("y", "2");
        await emulator.RestartAsync();
        Assert.Equal(["x", "y"], (await emulator.ListAsync()).Names);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Restart_AfterLinesThatArrivedInPart_CutsThemOff(int lines)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        await emulator.StopAsync();
        var journal = Path.Combine(emulator.BucketFolder, "journal");
        var whole = await File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken);
        var lastLine = whole[(whole.AsSpan(0, whole.Length - 1).LastIndexOf((byte)'\n') + 1)..];
        lastLine.AsSpan(30, 20).Clear();
        await File.WriteAllBytesAsync(journal, [.. whole, .. Enumerable.Repeat(lastLine, lines).SelectMany(line => line)], TestContext.Current.CancellationToken);

        await emulator.StartServerAsync();

        Assert.Equal(whole, await File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken));
        Assert.Equal(["x"], (await emulator.ListAsync()).Names);
    }

    [Fact]
    public async Task Restart_WithDamagedJournalOrMissingContent_RefusesAndSaysWhere()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        await emulator.StopAsync();
        var journal = Path.Combine(emulator.BucketFolder, "journal");
        var whole = await File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken);

        await File.WriteAllBytesAsync(journal, [.. whole[..20], (byte)'~', .. whole[21..]], TestContext.Current.CancellationToken);
        Assert.Contains("Line 1", (await Assert.ThrowsAsync<InvalidDataException>(emulator.StartServerAsync)).Message);

        await File.WriteAllBytesAsync(journal, whole, TestContext.Current.CancellationToken);
        var content = Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")).Single();
        File.Move(content, emulator.Folder + "/aside");
        Assert.Contains("'x'", (await Assert.ThrowsAsync<InvalidDataException>(emulator.StartServerAsync)).Message);

        File.Move(emulator.Folder + "/aside", content);
        await emulator.StartServerAsync();
        Assert.Equal("1"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"Id\":\"0123")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"Id\":null,\"Target\":null,\"Content\":1}")]
    public async Task Restart_WithADamagedUploadSession_ForgetsIt(string session)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        await emulator.StopAsync();
        var sessions = Path.Combine(emulator.Folder, "sessions");
        await File.WriteAllTextAsync(Path.Combine(sessions, new string('0', 32)), session, TestContext.Current.CancellationToken);

        await emulator.StartServerAsync();

        Assert.Equal("1"u8.ToArray(), await emulator.ReadAsync("x"));
        Assert.Empty(Directory.GetFiles(sessions));
    }

    [Fact]
    public async Task Restart_WithTwoObjectsOfTheSameBytes_RefusesAndSaysWhich()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        await emulator.StopAsync();
        var journal = Path.Combine(emulator.BucketFolder, "journal");
        var json = (await File.ReadAllLinesAsync(journal, TestContext.Current.CancellationToken))[^1][9..].Replace("\"x\"", "\"y\"");
        var line = $"{Crc32c.Of(Encoding.UTF8.GetBytes(json)):x8} {json}\n";
        await File.AppendAllTextAsync(journal, line, TestContext.Current.CancellationToken);
        var refusal = await Assert.ThrowsAsync<InvalidDataException>(emulator.StartServerAsync);
        Assert.Contains("'y'", refusal.Message);
        await File.WriteAllTextAsync(journal, (await File.ReadAllTextAsync(journal, TestContext.Current.CancellationToken))[..^line.Length], TestContext.Current.CancellationToken);
        await emulator.StartServerAsync();
    }

    [Fact]
    public async Task Journal_OfAnObjectWrittenOftenEnough_StaysShort()
    {
        await using var emulator = await Emulator.StartAsync();
        var first = await emulator.PutAsync("kept", "1");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async writer =>
        {
            for (var number = 0; number < 2_600; number++)
            {
                using var answer = await emulator.Http.PatchAsync(
                    Emulator.ObjectPath("kept"), new StringContent("{}", Encoding.UTF8), TestContext.Current.CancellationToken);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            }
        }));
        Assert.InRange(File.ReadLines(Path.Combine(emulator.BucketFolder, "journal")).Count(), 2, 1_000);
        await emulator.RestartAsync();
        var kept = await emulator.GetAsync("kept");
        Assert.Equal((first.Generation, "10401"), (kept.Generation, kept.Metageneration));
    }

    [Fact]
    public async Task Journal_ThatCannotBeWrittenAnew_GoesOn()
    {
        using var folder = new TestFolder();
        var disk = new DiskFlush(waits: false);
        using var bucket = Bucket.Create(folder["bucket"], new GenerationClock(TimeProvider.System), disk, TimeProvider.System);
        using (var content = bucket.NewContent()) await bucket.PutAsync("x", ObjectMetadata.None, content, default);
        Directory.CreateDirectory(Path.Combine(folder["bucket"], "journal.new"));
        for (var number = 0; number < 10_010; number++) await bucket.PatchAsync("x", null, default, metadata => metadata);
        Assert.Equal(10_011, bucket.Get("x", null, default).Metageneration);
    }

    [Fact]
    public async Task Start_OnNoFolder_MakesOneForItsOwnerAlone()
    {
        using var folder = new TestFolder();
        await using var server = await GcsEmulatorServer.StartAsync(
            new GcsEmulatorOptions { Port = 0, DataDirectory = folder["data"] }, TestContext.Current.CancellationToken);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder["data"]));
    }

    [Fact]
    public async Task Start_OnAFolderInUse_IsRefused()
    {
        await using var emulator = await Emulator.StartAsync();
        var refusal = await Assert.ThrowsAsync<IOException>(() => GcsEmulatorServer.StartAsync(
            new GcsEmulatorOptions { Port = 0, DataDirectory = emulator.Folder }, TestContext.Current.CancellationToken));
        Assert.Contains("used by another emulator", refusal.Message);
    }

    [Fact]
    public async Task Start_OnAPortInUse_IsRefusedAndLetsGoOfTheFolder()
    {
        await using var emulator = await Emulator.StartAsync();
        var folder = Directory.CreateTempSubdirectory("silo-gcs-");
        var options = new GcsEmulatorOptions { Port = emulator.Http.BaseAddress!.Port, DataDirectory = folder.FullName };
        await Assert.ThrowsAnyAsync<IOException>(() => GcsEmulatorServer.StartAsync(options, TestContext.Current.CancellationToken));
        options.Port = 0;
        await using (await GcsEmulatorServer.StartAsync(options, TestContext.Current.CancellationToken))
        {
        }
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Start_WithOptionsOutOfRange_NamesThem()
    {
        var options = new GcsEmulatorOptions { Port = 70_000, Buckets = { "../x" } };
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => GcsEmulatorServer.StartAsync(options, TestContext.Current.CancellationToken));
        Assert.Contains("Port", refusal.Message);
        Assert.Contains("DataDirectory", refusal.Message);
    }
}
