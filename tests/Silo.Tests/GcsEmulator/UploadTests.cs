using System.IO.Pipelines;
using System.Net;

namespace Silo.Tests.GcsEmulator;

public sealed class UploadTests
{
    [Fact]
    public async Task Insert_Media_AnswersKnownChecksums()
    {
        await using var emulator = await Emulator.StartAsync();
        var stored = await emulator.PutAsync("check", "123456789");
        Assert.Equal("4waSgw==", stored.Crc32c); // 0xE3069283, the check value of CRC-32C
        Assert.Equal("JfnnlDI7RTiF9RgfG2JNCw==", stored.Md5Hash);
        Assert.Equal("9", stored.Size);
        Assert.Equal("1", stored.Metageneration);
    }

    [Fact]
    public async Task Insert_Empty_AnswersKnownChecksums()
    {
        await using var emulator = await Emulator.StartAsync();
        var stored = await emulator.PutAsync("empty", "");
        Assert.Equal(("AAAAAA==", "1B2M2Y8AsgTpgAmY7PhCfg==", "0"), (stored.Crc32c, stored.Md5Hash, stored.Size));
        Assert.Empty(await emulator.ReadAsync("empty"));
    }

    [Fact]
    public async Task Insert_Multipart_TakesNameAndMetadataFromFirstPart()
    {
        await using var emulator = await Emulator.StartAsync();
        var content = new byte[100_000];
        Random.Shared.NextBytes(content);
        var stored = await Emulator.ObjectAsync(await emulator.InsertMultipartAsync(
            """{"name":"in/first/part","cacheControl":"no-store","metadata":{"color":"red"}}""", content));
        Assert.Equal(("in/first/part", "text/plain", "no-store", "red"), (stored.Name, stored.ContentType, stored.CacheControl, stored.Metadata!["color"]));
        Assert.Equal(content, await emulator.ReadAsync("in/first/part"));
    }

    [Theory]
    [InlineData("\r\n")]
    [InlineData("--")]
    [InlineData("a\r\n--b\r\n\r\n--")]
    public async Task Insert_MultipartThatLooksLikeABoundary_KeepsEveryByte(string content)
    {
        await using var emulator = await Emulator.StartAsync();
        await Emulator.ObjectAsync(await emulator.InsertMultipartAsync("""{"name":"x"}""", System.Text.Encoding.UTF8.GetBytes(content)));
        Assert.Equal(content, System.Text.Encoding.UTF8.GetString(await emulator.ReadAsync("x")));
    }

    [Theory]
    [InlineData("""{"name":"x","crc32c":"AAAAAA=="}""")]
    [InlineData("""{"name":"x","md5Hash":"AAAAAAAAAAAAAAAAAAAAAA=="}""")]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":"."}""")]
    [InlineData("""{"name":"a\nb"}""")]
    [InlineData("""{"name":"\ud800"}""")]
    [InlineData("""{"name":5}""")]
    [InlineData("""{"name":"x","metadata":{"k":1}}""")]
    [InlineData("""[]""")]
    [InlineData("""{""")]
    public async Task Insert_WrongMetadata_IsRefusedAndLeavesNothing(string metadata)
    {
        await using var emulator = await Emulator.StartAsync();
        using var answer = await emulator.InsertMultipartAsync(metadata, [1, 2, 3]);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Empty((await emulator.ListAsync()).Names);
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")));
    }

    [Fact]
    public async Task Insert_CutMultipartBody_IsRefusedAndLeavesNothing()
    {
        await using var emulator = await Emulator.StartAsync();
        using var body = new StringContent("--b\r\nContent-Type: application/json\r\n\r\n{\"name\":\"x\"}\r\n--b\r\n\r\nhalf of the conte");
        body.Headers.Remove("Content-Type");
        body.Headers.TryAddWithoutValidation("Content-Type", "multipart/related; boundary=\"b\"");
        using var answer = await emulator.Http.PostAsync(
            $"upload/{Emulator.ObjectsPath}?uploadType=multipart", body, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Empty((await emulator.ListAsync()).Names);
    }

    [Fact]
    public async Task Insert_BucketMadeAnewMeanwhile_IsRefusedAndTouchesNothingInIt()
    {
        await using var emulator = await Emulator.StartAsync();
        var body = new Pipe();
        var insert = emulator.Http.PostAsync(
            $"upload/{Emulator.ObjectsPath}?uploadType=media&name=x", new StreamContent(body.Reader.AsStream()), TestContext.Current.CancellationToken);
        await body.Writer.WriteAsync(new byte[100_000], TestContext.Current.CancellationToken);
        var contents = Path.Combine(emulator.BucketFolder, "content");
        await Eventually.IsAsync(() => Directory.GetFiles(contents).Length == 1, "half of the body has arrived");
        await emulator.RenewBucketAsync();
        await emulator.PutAsync("y", "precious");
        await body.Writer.CompleteAsync();
        using var answer = await insert;
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        await emulator.RestartAsync();
        Assert.Equal("precious"u8.ToArray(), await emulator.ReadAsync("y"));
    }

    [Fact]
    public async Task Insert_ReplacedObject_LeavesOneContentFile()
    {
        await using var emulator = await Emulator.StartAsync();
        var first = await emulator.PutAsync("x", "one");
        var second = await emulator.PutAsync("x", "two");
        Assert.True(long.Parse(second.Generation) > long.Parse(first.Generation));
        Assert.Single(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")));
    }

    [Fact]
    public async Task Insert_UnknownBucket_Is404InGcsShape()
    {
        await using var emulator = await Emulator.StartAsync();
        using var answer = await emulator.Http.PostAsync(
            "upload/storage/v1/b/no-such-bucket/o?uploadType=media&name=x", new ByteArrayContent([1]), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        using var error = System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(404, error.RootElement.GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal("notFound", error.RootElement.GetProperty("error").GetProperty("errors")[0].GetProperty("reason").GetString());
    }
}
