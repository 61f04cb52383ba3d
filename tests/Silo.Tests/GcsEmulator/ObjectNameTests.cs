using System.Net;
using System.Text;

namespace Silo.Tests.GcsEmulator;

public sealed class ObjectNameTests
{
    public static TheoryData<string> Strange =>
    [
        "../../../etc/passwd", "a/../b", "a/./b", "/", "//", "/a", "a//b", "a/", "..a", "a\\b", "C:\\x", "%2F", "%", "a%00b", "a+b c", "a?b#c&d=e",
        "\u0001", "\t", "é/ü", "日本語", "😀", "\uFFFD", "CON", "lock", "journal", "o/copyTo/b/x/o/y", "storage/v1/b", "_emulator/faults",
        new string('x', 1024), new string('é', 512),
    ];

    [Theory, MemberData(nameof(Strange))]
    public async Task Name_OfAnyKind_ComesBackAsItWas(string name)
    {
        await using var emulator = await Emulator.StartAsync();
        var content = Encoding.UTF8.GetBytes("content of " + name);
        Assert.Equal(name, (await emulator.PutAsync(name, content)).Name);
        await emulator.RestartAsync();
        Assert.Equal(content, await emulator.ReadAsync(name));
        Assert.Equal(name, (await emulator.GetAsync(name)).Name);
        Assert.Equal([name], (await emulator.ListAsync("prefix=" + Uri.EscapeDataString(name))).Names);
        Assert.Equal(["buckets", "lock", "sessions"], Directory.GetFileSystemEntries(emulator.Folder).Select(Path.GetFileName).Order());
        using var deleted = await emulator.Http.DeleteAsync(Emulator.ObjectPath(name), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Empty((await emulator.ListAsync()).Names);
    }

    [Fact]
    public async Task Name_TooLongOrNotUtf8_IsRefused()
    {
        await using var emulator = await Emulator.StartAsync();
        using var tooLong = await emulator.InsertAsync(new string('é', 513), [1]);
        Assert.Equal(HttpStatusCode.BadRequest, tooLong.StatusCode);
        using var notUtf8 = await emulator.Http.GetAsync($"{Emulator.Bucket}/%FF", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, notUtf8.StatusCode);
    }

    [Fact]
    public async Task Name_WithPlainSlashesInXmlPath_IsTheSameObject()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("a/b/c d", "x");
        Assert.Equal("x", await emulator.Http.GetStringAsync($"{Emulator.Bucket}/a/b/c%20d", TestContext.Current.CancellationToken));
    }
}
