using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Silo.Tests.GcsEmulator;

public sealed class DownloadTests
{
    public static TheoryData<string, int, string> Ranges => new()
    {
        { "bytes=0-0", 206, "0" },
        { "bytes=2-4", 206, "234" },
        { "bytes=8-", 206, "89" },
        { "bytes=5-99", 206, "56789" },
        { "bytes=-3", 206, "789" },
        { "bytes=-99", 206, "0123456789" },
        { "bytes=0-3,5-6", 200, "0123456789" },
        { "bytes=4-2", 200, "0123456789" },
        { "lines=1-2", 200, "0123456789" },
        { "bytes=x-", 200, "0123456789" },
    };

    [Theory, MemberData(nameof(Ranges))]
    public async Task Get_Range_AnswersThatPart(string range, int status, string expected)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("digits", "0123456789");
        foreach (var path in new[] { Emulator.XmlPath("digits"), Emulator.ObjectPath("digits") + "?alt=media", "download/" + Emulator.ObjectPath("digits") })
        {
            using var answer = await SendAsync(emulator, HttpMethod.Get, path, ("Range", range));
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Equal(expected, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            if (status == 206) Assert.Equal(10, answer.Content.Headers.ContentRange!.Length);
        }
    }

    [Theory]
    [InlineData("0123456789", "bytes=10-")]
    [InlineData("0123456789", "bytes=-0")]
    [InlineData("", "bytes=0-")]
    public async Task Get_RangeBehindTheEnd_Is416(string content, string range)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", content);
        using var answer = await SendAsync(emulator, HttpMethod.Get, Emulator.XmlPath("x"), ("Range", range));
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, answer.StatusCode);
        Assert.Equal($"bytes */{content.Length}", answer.Content.Headers.ContentRange!.ToString());
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task Get_XmlPath_CarriesWhatTheGoClientReads(string method)
    {
        await using var emulator = await Emulator.StartAsync();
        var stored = await emulator.PutAsync("a/b", "0123456789");
        using var answer = await SendAsync(emulator, new HttpMethod(method), Emulator.XmlPath("a/b"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(stored.Generation, answer.Headers.GetValues("x-goog-generation").Single());
        Assert.Equal("1", answer.Headers.GetValues("x-goog-metageneration").Single());
        Assert.Equal("10", answer.Headers.GetValues("x-goog-stored-content-length").Single());
        Assert.Equal("identity", answer.Headers.GetValues("x-goog-stored-content-encoding").Single());
        Assert.Equal(["crc32c=" + stored.Crc32c, "md5=" + stored.Md5Hash], answer.Headers.GetValues("x-goog-hash"));
        Assert.Equal(10, answer.Content.Headers.ContentLength);
        Assert.NotNull(answer.Headers.Date);
        Assert.NotNull(answer.Content.Headers.LastModified);
        Assert.Equal(method == "GET" ? 10 : 0, (await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task Get_AcceptingGzip_AnswersTheStoredBytes()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", new string('a', 10_000));
        using var answer = await SendAsync(emulator, HttpMethod.Get, Emulator.XmlPath("x"), ("Accept-Encoding", "gzip"));
        Assert.Empty(answer.Content.Headers.ContentEncoding);
        Assert.Equal(new string('a', 10_000), await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Get_MissingByXmlPath_Is404InXml()
    {
        await using var emulator = await Emulator.StartAsync();
        using var answer = await SendAsync(emulator, HttpMethod.Get, Emulator.XmlPath("<none>"));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        var error = System.Xml.Linq.XDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal("NoSuchKey", error.Root!.Element("Code")!.Value);
    }

    [Fact]
    public async Task Get_FormerGeneration_Is404()
    {
        await using var emulator = await Emulator.StartAsync();
        var former = await emulator.PutAsync("x", "one");
        await emulator.PutAsync("x", "two");
        using var json = await SendAsync(emulator, HttpMethod.Get, Emulator.ObjectPath("x") + "?generation=" + former.Generation);
        using var xml = await SendAsync(emulator, HttpMethod.Get, Emulator.XmlPath("x") + "?generation=" + former.Generation);
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (json.StatusCode, xml.StatusCode));
    }

    [Fact]
    public async Task Get_ObjectReplacedWhileItIsRead_SendsTheOldOneToItsEnd()
    {
        await using var emulator = await Emulator.StartAsync();
        var old = new byte[20_000_000]; // more than any socket buffers
        Random.Shared.NextBytes(old);
        await emulator.PutAsync("x", old);
        using var answer = await emulator.Http.GetAsync(
            Emulator.XmlPath("x"), HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await emulator.PutAsync("x", "new");
        Assert.Equal(old, await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        Assert.Equal("new"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Fact]
    public async Task Get_MetadataThatNoHeaderCanCarry_IsLeftOut()
    {
        await using var emulator = await Emulator.StartAsync();
        await Emulator.ObjectAsync(await emulator.InsertMultipartAsync(
            """{"name":"x","contentType":"a\r\nX-Evil: 1","metadata":{"good":"Grüße","b d":"x","bad":"a\nb"}}""", Encoding.UTF8.GetBytes("1")));
        using var answer = await SendAsync(emulator, HttpMethod.Get, Emulator.XmlPath("x"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(new MediaTypeHeaderValue("application/octet-stream"), answer.Content.Headers.ContentType);
        Assert.True(answer.Headers.Contains("x-goog-meta-good"));
        Assert.False(answer.Headers.Contains("X-Evil") || answer.Headers.Contains("x-goog-meta-bad"));
    }

    private static Task<HttpResponseMessage> SendAsync(
        Emulator emulator, HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return emulator.Http.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
