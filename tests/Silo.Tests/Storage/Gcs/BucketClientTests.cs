using System.Net;
using System.Text;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Gcs;

public sealed class BucketClientTests(BucketFixture bucket) : IClassFixture<BucketFixture>
{
    private readonly BucketClient _client = bucket.Client();

    private static CancellationToken Cancellation => BucketFixture.Cancellation;

    [Theory]
    [InlineData("plain/a.json")]
    [InlineData("plain/with space & ampersand?#%2F+.json")]
    [InlineData("plain/Zürich/日本/😀")]
    [InlineData("plain/../dots/./x")]
    public async Task Upload_AnyName_ComesBackWithContentAndDescription(string name)
    {
        var written = await _client.UploadAsync(name, "{\"a\":1}"u8.ToArray(), "application/json", null, Cancellation);
        var read = (await _client.DownloadAsync(name, Cancellation))!.Value;

        Assert.Equal("{\"a\":1}"u8.ToArray(), read.Bytes);
        Assert.Equal(name, written.Name);
        Assert.Equal(written with { Updated = read.Object.Updated }, read.Object);
        Assert.Equal(written.Updated.ToUnixTimeSeconds(), read.Object.Updated.ToUnixTimeSeconds());
        Assert.True(read.ServerTime >= read.Object.Updated);
        Assert.Equal(written, await _client.GetAsync(name, Cancellation));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a\nb")]
    public async Task Upload_NameThatIsNone_IsABug(string name) =>
        await Assert.ThrowsAsync<ArgumentException>(() => _client.UploadAsync(name, default, "text/plain", null, Cancellation));

    [Fact]
    public async Task Upload_Empty_IsAnObjectOfNoBytes()
    {
        Assert.Equal(0, (await _client.UploadAsync("empty", default, "text/plain", 0, Cancellation)).Size);
        Assert.Empty((await _client.DownloadAsync("empty", Cancellation))!.Value.Bytes);
    }

    [Fact]
    public async Task Upload_OnlyWhenAbsent_SecondIsRefused()
    {
        var first = await _client.UploadAsync("once", new byte[1], "text/plain", 0, Cancellation);
        await Assert.ThrowsAsync<BucketPreconditionException>(() => _client.UploadAsync("once", new byte[2], "text/plain", 0, Cancellation));
        Assert.Equal(first, await _client.GetAsync("once", Cancellation));
    }

    [Fact]
    public async Task Upload_OverGeneration_OnlyTheRightOneGoesThrough()
    {
        var first = await _client.UploadAsync("cas", new byte[1], "text/plain", 0, Cancellation);
        var second = await _client.UploadAsync("cas", new byte[2], "text/plain", first.Generation, Cancellation);
        Assert.True(second.Generation > first.Generation);
        var refusal = await Assert.ThrowsAsync<BucketPreconditionException>(
            () => _client.UploadAsync("cas", new byte[3], "text/plain", first.Generation, Cancellation));
        Assert.Contains("cas", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(2, (await _client.GetAsync("cas", Cancellation))!.Size);
    }

    [Fact]
    public async Task Upload_ManyAtOnceWhenAbsent_OneWins()
    {
        var tries = await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            try
            {
                await _client.UploadAsync("race", new byte[i], "text/plain", 0, Cancellation);
                return true;
            }
            catch (BucketPreconditionException)
            {
                return false;
            }
        }));
        Assert.Single(tries, won => won);
    }

    [Fact]
    public async Task Read_Absent_IsNullOrFalse()
    {
        Assert.Null(await _client.DownloadAsync("absent", Cancellation));
        Assert.Null(await _client.GetAsync("absent", Cancellation));
        Assert.False(await _client.DeleteAsync("absent", null, Cancellation));
        Assert.False(await _client.ExistsAnyAsync("absent/", Cancellation));
        var failure = await Assert.ThrowsAsync<BucketException>(() => _client.DownloadAsync("absent", new MemoryStream(), Cancellation));
        Assert.False(failure.IsTransient);
        Assert.Contains("no such object", failure.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Delete_OnlyTheGivenGeneration()
    {
        var written = await _client.UploadAsync("gone", new byte[1], "text/plain", null, Cancellation);
        await Assert.ThrowsAsync<BucketPreconditionException>(() => _client.DeleteAsync("gone", written.Generation - 1, Cancellation));
        Assert.True(await _client.DeleteAsync("gone", written.Generation, Cancellation));
        Assert.Null(await _client.GetAsync("gone", Cancellation));
    }

    [Fact]
    public async Task Download_OfAGeneration_IsOfNoOther()
    {
        var first = await _client.UploadAsync("overwritten", "one"u8.ToArray(), "text/plain", null, Cancellation);
        var second = await _client.UploadAsync("overwritten", "two"u8.ToArray(), "text/plain", null, Cancellation);
        using var content = new MemoryStream();
        await _client.DownloadAsync("overwritten", second.Generation, content, Cancellation);
        Assert.Equal("two"u8.ToArray(), content.ToArray());
        var failure = await Assert.ThrowsAsync<BucketException>(() => _client.DownloadAsync("overwritten", first.Generation, new MemoryStream(), Cancellation));
        Assert.Equal(HttpStatusCode.NotFound, failure.Status);
    }

    [Fact]
    public async Task Download_LargerThanAllowed_IsRefused()
    {
        var client = bucket.Client(options => options.MaxObjectBytes = 1024);
        await client.UploadAsync("large", BucketFixture.Bytes(1025), "text/plain", null, Cancellation);
        var failure = await Assert.ThrowsAsync<BucketException>(() => client.DownloadAsync("large", Cancellation));
        Assert.False(failure.IsTransient);
        Assert.Contains("Gcs:MaxObjectBytes", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(256 * 1024)]
    [InlineData(256 * 1024 * 4)]
    [InlineData(256 * 1024 * 4 + 77)]
    public async Task UploadStream_AnyLength_ComesBackTheSame(int length)
    {
        var client = bucket.Client(options => options.UploadChunkBytes = 256 * 1024);
        var bytes = BucketFixture.Bytes(length);
        var written = await client.UploadAsync($"stream/{length}", new MemoryStream(bytes), "application/octet-stream", Cancellation);
        Assert.Equal((length, Crc32C.Of(bytes)), (written.Size, written.Crc32c));

        using var back = new MemoryStream();
        await client.DownloadAsync($"stream/{length}", back, Cancellation);
        Assert.Equal(bytes, back.ToArray());
    }

    [Fact]
    public async Task Download_DestinationThatCannotBeWritten_IsNoFaultOfTheBucket()
    {
        await _client.UploadAsync("to-full-disk", new byte[10], "text/plain", null, Cancellation);
        var before = await bucket.RequestsAsync("getMedia");
        await Assert.ThrowsAsync<IOException>(() => _client.DownloadAsync("to-full-disk", new FullDisk(), Cancellation));
        Assert.Equal(before + 1, await bucket.RequestsAsync("getMedia"));
    }

    [Fact]
    public async Task List_ManyPages_IsAllByName()
    {
        var names = Enumerable.Range(0, 25).Select(i => $"list/{i:D2}").ToList();
        await Task.WhenAll(names.Select(name => _client.UploadAsync(name, new byte[1], "text/plain", null, Cancellation)));
        var client = bucket.Client(options => options.ListPageSize = 4);

        Assert.Equal(names, await NamesAsync(client.ListAsync("list/", null, Cancellation)));
        Assert.Equal(names[7..], await NamesAsync(client.ListAsync("list/", "list/07", Cancellation)));
        Assert.Empty(await NamesAsync(client.ListAsync("list/none", null, Cancellation)));
        Assert.True(await client.ExistsAnyAsync("list/", Cancellation));
    }

    [Fact]
    public async Task List_MoreThanAServersPage_IsAll()
    {
        var names = Enumerable.Range(0, 1203).Select(i => $"huge/{i:D5}").ToList();
        foreach (var some in names.Chunk(50))
            await Task.WhenAll(some.Select(name => _client.UploadAsync(name, default, "text/plain", null, Cancellation)));
        Assert.Equal(names, await NamesAsync(_client.ListAsync("huge/", null, Cancellation)));
    }

    [Fact]
    public async Task ListPrefixes_Folders_AreListedOnce()
    {
        foreach (var name in new[] { "folders/a/1", "folders/a/2", "folders/b/c/3", "folders/d", "folders/e/4" })
            await _client.UploadAsync(name, default, "text/plain", null, Cancellation);
        var client = bucket.Client(options => options.ListPageSize = 1);
        List<string> folders = [];
        await foreach (var folder in client.ListPrefixesAsync("folders/", Cancellation)) folders.Add(folder);
        Assert.Equal(["folders/a/", "folders/b/", "folders/e/"], folders);
    }

    [Fact]
    public async Task EnsureBucket_AbsentOrPresent_IsThere()
    {
        var client = bucket.Client(options => options.BucketName = "made-by-test");
        await Assert.ThrowsAsync<BucketException>(() => client.ExistsAnyAsync("", Cancellation));
        await client.EnsureBucketAsync(Cancellation);
        await client.EnsureBucketAsync(Cancellation);
        Assert.False(await client.ExistsAnyAsync("", Cancellation));
    }

    [Theory]
    [InlineData("123456789", "4waSgw==")] // 0xE3069283, the check value of CRC-32C
    [InlineData("", "AAAAAA==")]
    public void Crc32C_KnownText_IsTheKnownValue(string text, string checksum) => Assert.Equal(checksum, Crc32C.Of(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Crc32C_PieceByPiece_IsTheSame()
    {
        var bytes = BucketFixture.Bytes(1000);
        var crc = new Crc32C();
        for (int start = 0, length = 0; start < bytes.Length; start += length, length++) crc.Append(bytes.AsSpan(start, Math.Min(length, bytes.Length - start)));
        Assert.Equal(Crc32C.Of(bytes), crc.ToString());
    }

    private static async Task<List<string>> NamesAsync(IAsyncEnumerable<BucketObject> objects)
    {
        List<string> names = [];
        await foreach (var item in objects) names.Add(item.Name);
        return names;
    }

    private sealed class FullDisk : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("No space left on device");
    }
}
