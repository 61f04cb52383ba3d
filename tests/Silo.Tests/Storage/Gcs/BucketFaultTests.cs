using System.Net;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Gcs;

public sealed class BucketFaultTests : IAsyncLifetime
{
    private readonly BucketFixture _bucket = new();

    private static CancellationToken Cancellation => BucketFixture.Cancellation;

    public ValueTask InitializeAsync() => _bucket.InitializeAsync();

    public ValueTask DisposeAsync() => _bucket.DisposeAsync();

    [Theory]
    [InlineData("""{"action":"status","status":503,"count":3}""")]
    [InlineData("""{"action":"status","status":429,"count":2}""")]
    [InlineData("""{"action":"status","status":408,"count":1}""")]
    [InlineData("""{"action":"drop","count":2}""")]
    [InlineData("""{"action":"stall","count":1}""")]
    [InlineData("""{"action":"loseAnswer","count":1}""")]
    [InlineData("""{"action":"drop","afterBytes":1,"count":1}""")]
    public async Task IdempotentCall_FaultsThenSuccess_IsRepeated(string fault)
    {
        var client = _bucket.Client(options => options.RequestTimeout = TimeSpan.FromSeconds(1));
        async Task<T> FaultyAsync<T>(Func<Task<T>> call)
        {
            await _bucket.FaultAsync(fault);
            return await call();
        }

        var written = await FaultyAsync(() => client.UploadAsync("a/1", "abc"u8.ToArray(), "text/plain", null, Cancellation));
        Assert.Equal("abc"u8.ToArray(), (await FaultyAsync(() => client.DownloadAsync("a/1", Cancellation)))!.Value.Bytes);
        Assert.Equal(written, await FaultyAsync(() => client.GetAsync("a/1", Cancellation)));
        Assert.True(await FaultyAsync(() => client.ExistsAnyAsync("a/", Cancellation)));
        await FaultyAsync(() => client.DeleteAsync("a/1", null, Cancellation));
        await _bucket.FaultAsync("");
        Assert.Null(await client.GetAsync("a/1", Cancellation));
    }

    [Theory]
    [InlineData("""{"action":"loseAnswer","method":"insertObject","count":1}""", true)]
    [InlineData("""{"action":"loseAnswer","method":"insertObject","status":503,"count":1}""", true)]
    [InlineData("""{"action":"status","method":"insertObject","status":429,"count":1}""", false)]
    [InlineData("""{"action":"drop","method":"insertObject","count":1}""", false)]
    [InlineData("""{"action":"stall","method":"insertObject","count":1}""", false)]
    public async Task ConditionalUpload_Fault_IsUnknownOutcomeAndSentOnce(string fault, bool wasWritten)
    {
        var client = _bucket.Client(options => options.RequestTimeout = TimeSpan.FromSeconds(1));
        await client.ExistsAnyAsync("", Cancellation); // a connection that is in use already, as a head's would be
        await _bucket.FaultAsync(fault);

        var failure = await Assert.ThrowsAsync<BucketException>(() => client.UploadAsync("head", "mine"u8.ToArray(), "text/plain", 0, Cancellation));
        Assert.True(failure.IsTransient);
        Assert.Equal(1, await _bucket.RequestsAsync("insertObject"));
        Assert.Equal(wasWritten, await client.DownloadAsync("head", Cancellation) is { } content && content.Bytes.SequenceEqual("mine"u8.ToArray()));
    }

    [Theory]
    [InlineData(403, "roles/storage.objectUser")]
    [InlineData(401, "Application Default Credentials")]
    [InlineData(400, "fault of the program")]
    public async Task Call_RefusedForGood_IsNotRepeatedAndNamesTheRemedy(int status, string remedy)
    {
        await _bucket.FaultAsync($$"""{"action":"status","status":{{status}}}""");
        var failure = await Assert.ThrowsAsync<BucketException>(() => _bucket.Client().GetAsync("a", Cancellation));
        Assert.Equal(((HttpStatusCode)status, false), (failure.Status!.Value, failure.IsTransient));
        Assert.Contains(remedy, failure.Message, StringComparison.Ordinal);
        Assert.Contains("object a of bucket test-bucket", failure.Message, StringComparison.Ordinal);
        Assert.Equal(1, await _bucket.RequestsAsync("getObject"));
    }

    [Fact]
    public async Task Call_FailingOnAndOn_EndsAfterTheConfiguredTries()
    {
        await _bucket.FaultAsync("""{"action":"status","status":503}""");
        var failure = await Assert.ThrowsAsync<BucketException>(() => _bucket.Client(options => options.Retries = 2).GetAsync("a", Cancellation));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (failure.Status!.Value, failure.IsTransient));
        Assert.Equal(3, await _bucket.RequestsAsync("getObject"));
    }

    [Fact]
    public async Task Call_StalledForLongerThanAllInAll_EndsAsTransient()
    {
        await _bucket.FaultAsync("""{"action":"stall"}""");
        var client = _bucket.Client(options => options.TotalTimeout = TimeSpan.FromMilliseconds(100));
        Assert.True((await Assert.ThrowsAsync<BucketException>(() => client.GetAsync("a", Cancellation))).IsTransient);
    }

    [Fact]
    public async Task Call_CallerGivesUp_IsCancelled()
    {
        await _bucket.FaultAsync("""{"action":"stall"}""");
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var call = _bucket.Client().GetAsync("a", caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task Call_NobodyListens_IsTransient()
    {
        using var client = BucketFixture.Client(BucketFixture.DeadUrl());
        var failure = await Assert.ThrowsAsync<BucketException>(() => client.GetAsync("a", Cancellation));
        Assert.Equal((null, true), (failure.Status, failure.IsTransient));
        Assert.True((await Assert.ThrowsAsync<BucketException>(() => client.UploadAsync("a", default, "text/plain", 0, Cancellation))).IsTransient);
    }

    [Fact]
    public async Task AnyCall_BucketIsMissing_FailsAndIsNeverAbsence()
    {
        var client = _bucket.Client(options => options.BucketName = "misspelt");
        Func<Task>[] calls =
        [
            () => client.GetAsync("a", Cancellation),
            () => client.DownloadAsync("a", Cancellation),
            () => client.DownloadAsync("a", new MemoryStream(), Cancellation),
            () => client.DeleteAsync("a", null, Cancellation),
            () => client.ExistsAnyAsync("", Cancellation),
            () => client.UploadAsync("a", default, "text/plain", 0, Cancellation),
            () => client.UploadAsync("a", new MemoryStream(new byte[9_000_000]), "text/plain", Cancellation),
        ];
        foreach (var call in calls)
        {
            var failure = await Assert.ThrowsAsync<BucketException>(call);
            Assert.Equal((HttpStatusCode.NotFound, false), (failure.Status!.Value, failure.IsTransient));
            Assert.Contains("Gcs:BucketName", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task DownloadStream_CutInTheMiddle_BeginsAnewWhereItCan()
    {
        var client = _bucket.Client();
        var bytes = BucketFixture.Bytes(3_000_000);
        await client.UploadAsync("big", bytes, "text/plain", null, Cancellation);

        const string Cut = """{"action":"drop","method":"getMedia","afterBytes":1000000,"count":1}""";
        await _bucket.FaultAsync(Cut);
        using var destination = new MemoryStream();
        destination.Write("before"u8);
        await client.DownloadAsync("big", destination, Cancellation);
        Assert.Equal([.. "before"u8, .. bytes], destination.ToArray());

        await _bucket.FaultAsync(Cut);
        await using var pipe = new OneWay();
        Assert.True((await Assert.ThrowsAsync<BucketException>(() => client.DownloadAsync("big", pipe, Cancellation))).IsTransient);
    }

    [Theory]
    [InlineData("""{"action":"drop","method":"continueUpload","afterBytes":100000,"count":1}""")]
    [InlineData("""{"action":"loseAnswer","method":"continueUpload","count":1}""")]
    [InlineData("""{"action":"status","method":"continueUpload","status":503,"count":3}""")]
    [InlineData("""{"action":"loseAnswer","method":"continueUpload","status":500,"count":2}""")]
    [InlineData("""{"action":"loseAnswer","method":"startUpload","count":1}""")]
    [InlineData("""{"action":"loseAnswer","method":"continueUpload","probability":0.3,"seed":7}""")]
    public async Task UploadStream_Faults_GoesOnFromWhatTheBucketHas(string fault)
    {
        await _bucket.FaultAsync(fault);
        var client = _bucket.Client(options => (options.UploadChunkBytes, options.Retries) = (256 * 1024, 8));
        var bytes = BucketFixture.Bytes(5 * 256 * 1024 + 123);
        await client.UploadAsync("big", new OnlyForward(bytes), "application/octet-stream", Cancellation);

        await _bucket.FaultAsync("");
        using var back = new MemoryStream();
        await client.DownloadAsync("big", back, Cancellation);
        Assert.Equal(bytes, back.ToArray());
    }

    [Fact]
    public async Task Download_BytesDamagedInTheBucket_IsRefused()
    {
        var client = _bucket.Client();
        var bytes = BucketFixture.Bytes(5000);
        await client.UploadAsync("damaged", bytes, "text/plain", null, Cancellation);
        var content = new DirectoryInfo(_bucket.DataDirectory).EnumerateFiles("*", SearchOption.AllDirectories).Single(file => file.Length == bytes.Length);
        bytes[17] ^= 1;
        await File.WriteAllBytesAsync(content.FullName, bytes, Cancellation);

        foreach (var call in new Func<Task>[]
        {
            () => client.DownloadAsync("damaged", Cancellation), () => client.DownloadAsync("damaged", new MemoryStream(), Cancellation),
        })
            Assert.Contains("CRC-32C", (await Assert.ThrowsAsync<BucketException>(call)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Download_ObjectChangesAllTheTime_ContentAndGenerationBelongTogether()
    {
        var client = _bucket.Client();
        var written = new Dictionary<long, byte[]>();
        async Task WriteAsync()
        {
            for (var i = 1; i <= 100; i++)
            {
                var bytes = BucketFixture.Bytes(i * 10);
                var version = await client.UploadAsync("changing", bytes, "text/plain", null, Cancellation);
                lock (written) written.Add(version.Generation, bytes);
            }
        }

        var writing = WriteAsync();
        List<BucketContent> reads = [];
        do
        {
            if (await client.DownloadAsync("changing", Cancellation) is { } read) reads.Add(read);
        }
        while (!writing.IsCompleted);
        await writing;
        Assert.NotEmpty(reads);
        Assert.All(reads, read => Assert.Equal(written[read.Object.Generation], read.Bytes));
    }

    private sealed class OnlyForward(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }

    private sealed class OneWay : MemoryStream
    {
        public override bool CanSeek => false;
    }
}
