using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using Silo.GcsEmulator.Store;

namespace Silo.Tests.GcsEmulator;

public sealed class EmulatorProcessTests : IDisposable
{
    private const long StreamedBytes = 256L << 20;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("silo-gcs-");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task KillMinusNine_UnderWrites_LosesNothingAcknowledged()
    {
        var acknowledged = new ConcurrentDictionary<string, string>();
        var enough = new TaskCompletionSource();
        for (var run = 0; run < 3; run++)
        {
            await using var emulator = await EmulatorProcess.StartAsync(_folder.FullName, "--bucket", "killed");
            var writers = Enumerable.Range(0, 4).Select(writer => WriteUntilCutAsync(emulator.Http, run, writer, acknowledged, enough)).ToList();
            await enough.Task;
            await emulator.KillAsync();
            await Task.WhenAll(writers);
            enough = new TaskCompletionSource();
        }
        await using var survivor = await EmulatorProcess.StartAsync(_folder.FullName);
        foreach (var (name, content) in acknowledged)
        {
            var read = await survivor.Http.GetStringAsync($"killed/{Uri.EscapeDataString(name)}", Cancellation);
            // A replacement that was not acknowledged may have happened all the same.
            if (name.StartsWith("counter", StringComparison.Ordinal)) Assert.InRange(int.Parse(read) - int.Parse(content), 0, 1);
            else Assert.Equal(content, read);
        }
        Assert.Equal(0, await survivor.TerminateAsync());
    }

    [Fact]
    public async Task LargeObject_UploadedAndRead_NeverSitsInMemory()
    {
        await using var emulator = await EmulatorProcess.StartAsync(_folder.FullName, "--bucket", "large");
        using var content = new StreamContent(new PatternStream(StreamedBytes), 1 << 20);
        content.Headers.ContentLength = StreamedBytes;
        var stored = await Emulator.ObjectAsync(
            await emulator.Http.PostAsync("upload/storage/v1/b/large/o?uploadType=media&name=x", content, Cancellation));
        Assert.Equal(StreamedBytes.ToString(), stored.Size);

        await using var download = await emulator.Http.GetStreamAsync("large/x", Cancellation);
        var checksum = new Crc32c();
        var buffer = new byte[1 << 20];
        int read;
        while ((read = await download.ReadAsync(buffer, Cancellation)) > 0) checksum.Append(buffer.AsSpan(0, read));
        Assert.Equal(stored.Crc32c, Crc32c.Text(checksum.Value));
        Assert.InRange(emulator.PeakMemoryBytes, 0, 160L << 20);
    }

    [Fact]
    public async Task Terminate_WhileServing_EndsWithZeroAndKeepsTheObjects()
    {
        await using (var emulator = await EmulatorProcess.StartAsync(_folder.FullName, "--bucket", "one", "--bucket", "two", "--flush"))
        {
            using var answer = await emulator.Http.PostAsync(
                "upload/storage/v1/b/two/o?uploadType=media&name=x", new StringContent("kept"), Cancellation);
            answer.EnsureSuccessStatusCode();
            Assert.Equal(0, await emulator.TerminateAsync());
        }
        await using var again = await EmulatorProcess.StartAsync(_folder.FullName);
        Assert.Equal("kept", await again.Http.GetStringAsync("two/x", Cancellation));
    }

    [Theory]
    [InlineData(0, "--ready-file", "--help")]
    [InlineData(1, "Port", "--port", "99999")]
    [InlineData(1, "bucket name", "--bucket", "A")]
    [InlineData(1, "--nonsense", "--nonsense")]
    public async Task CommandLine_AnyArguments_SaysWhatIsMeant(int exitCode, string mention, params string[] arguments)
    {
        var command = EmulatorProcess.Command([.. arguments, "--data", _folder.FullName]);
        using var process = Process.Start(command)!;
        var output = process.StandardOutput.ReadToEndAsync(Cancellation);
        var errors = process.StandardError.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        Assert.Contains(mention, await output + await errors, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(exitCode, process.ExitCode);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static async Task WriteUntilCutAsync(
        HttpClient http, int run, int writer, ConcurrentDictionary<string, string> acknowledged, TaskCompletionSource enough)
    {
        try
        {
            for (var number = 0; ; number++)
            {
                await PutAsync(http, $"run {run}/writer {writer}/{number}", $"{run}.{writer}.{number}", acknowledged);
                await PutAsync(http, $"counter {run}.{writer}", number.ToString(), acknowledged);
                if (number == 60) enough.TrySetResult();
            }
        }
        catch (HttpRequestException)
        {
            // The kill.
        }
    }

    private static async Task PutAsync(HttpClient http, string name, string content, ConcurrentDictionary<string, string> acknowledged)
    {
        using var body = new ByteArrayContent(Encoding.UTF8.GetBytes(content));
        using var answer = await http.PostAsync(
            $"upload/storage/v1/b/killed/o?uploadType=media&name={Uri.EscapeDataString(name)}", body, Cancellation);
        Assert.NotNull(await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<GcsObject>(Cancellation));
        acknowledged[name] = content;
    }

    /// <summary>Bytes without end in memory.</summary>
    private sealed class PatternStream(long length) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(buffer.Length, length - _position);
            for (var at = 0; at < count; at++) buffer[at] = (byte)((_position + at) * 31 >> 7);
            _position += count;
            return count;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
