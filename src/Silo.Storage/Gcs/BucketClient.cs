using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Silo.Storage.Gcs;

/// <summary>
/// The one bucket of this process, over Google's JSON API. Its shape follows Google's <c>StorageClient</c>, which could take its place in
/// this file. Safe for use by many threads.
/// </summary>
/// <remarks>
/// Calls that change nothing twice are repeated by themselves, with growing waits, bounded in tries and in time. All throw
/// <see cref="BucketException"/>; those with a generation to match also <see cref="BucketPreconditionException"/>. A bucket that does not
/// exist is always a failure and never an absent object: an organization must not look new because of a misspelt setting.
/// </remarks>
public sealed class BucketClient : IDisposable
{
    private const int MaxMetadataBytes = 16 * 1024 * 1024;
    private const int CopyBytes = 128 * 1024;

    private readonly GcsOptions _options;
    private readonly BucketAddresses _addresses;
    private readonly BucketConnection _connection;

    /// <summary>Makes a client; it connects with its first request.</summary>
    /// <param name="options">How the bucket is reached.</param>
    /// <param name="time">Measures time limits and waits.</param>
    /// <param name="logger">Told of every repetition.</param>
    public BucketClient(IOptions<GcsOptions> options, TimeProvider time, ILogger<BucketClient> logger)
    {
        _options = options.Value;
        _addresses = new BucketAddresses(_options.EmulatorHost, _options.BucketName);
        _connection = new BucketConnection(_options, time, logger);
    }

    /// <summary>The bucket's name.</summary>
    public string BucketName => _options.BucketName;

    /// <summary>For how long no request has been answered, whatever the answer; zero when the last one was, or when nobody asks.</summary>
    public TimeSpan Silence => _connection.Silence;

    /// <summary>How long ago a request was answered last, whatever the answer; the longest time before the first.</summary>
    public TimeSpan SinceAnswer => _connection.SinceAnswer;

    /// <summary>Reads a small object into memory: content and description are of one and the same version.</summary>
    /// <returns>Null when the bucket has no such object.</returns>
    /// <exception cref="BucketException">Also when it has more than <see cref="GcsOptions.MaxObjectBytes"/>.</exception>
    public Task<BucketContent?> DownloadAsync(string name, CancellationToken cancellationToken) =>
        _connection.RepeatAsync(Reading(name), (response, trying) => ReadContentAsync(name, response, trying.Token), cancellationToken);

    /// <inheritdoc cref="DownloadAsync(string, long?, Stream, CancellationToken)"/>
    public Task DownloadAsync(string name, Stream destination, CancellationToken cancellationToken) => DownloadAsync(name, generation: null, destination, cancellationToken);

    /// <summary>Copies an object into a stream and checks its checksum. A destination that can seek is rewound when the copy starts anew.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="generation">Only this generation of it: one that was written over since is gone, unless the bucket keeps versions. Null for any.</param>
    /// <param name="destination">Receives it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BucketException">Also when the bucket has no such object. What the destination holds is then worth nothing.</exception>
    /// <exception cref="IOException">The destination cannot be written.</exception>
    public async Task DownloadAsync(string name, long? generation, Stream destination, CancellationToken cancellationToken)
    {
        var call = Reading(name, generation);
        var start = destination.CanSeek ? destination.Position : 0;
        Task<bool> AttemptAsync(CancellationToken token) => _connection.TryAsync(
            call,
            async (response, trying) =>
            {
                if (await IsAbsentAsync(response, trying.Token))
                    throw BucketException.Answered(call.Action, HttpStatusCode.NotFound, "There is no such object");
                if (destination.CanSeek)
                {
                    destination.Position = start;
                    destination.SetLength(start);
                }

                var found = await CopyAsync(response.Content, destination, trying);
                EnsureChecksum(call.Action, Crc32cOf(response), found);
                return true;
            },
            token);

        // As long as bytes come there is no limit to the whole, so that the size of a database is none either.
        if (destination.CanSeek) await _connection.RepeatAsync(call.Action, Timeout.InfiniteTimeSpan, AttemptAsync, cancellationToken);
        else await AttemptAsync(cancellationToken);
    }

    /// <summary>Describes an object.</summary>
    /// <returns>Null when the bucket has no such object.</returns>
    public Task<BucketObject?> GetAsync(string name, CancellationToken cancellationToken) => GetAsync(name, generation: null, cancellationToken);

    /// <inheritdoc cref="UploadAsync(string, ReadOnlyMemory{byte}, string, long?, IReadOnlyDictionary{string, string}, CancellationToken)"/>
    public Task<BucketObject> UploadAsync(
        string name, ReadOnlyMemory<byte> content, string contentType, long? ifGenerationMatch, CancellationToken cancellationToken) =>
        UploadAsync(name, content, contentType, ifGenerationMatch, metadata: null, cancellationToken);

    /// <summary>Writes a whole object in one request.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="content">Its bytes; not changed until the call ends.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="ifGenerationMatch">
    /// Write only over this generation, 0 for only when there is none; null to write in any case. With it nothing is ever repeated: after a
    /// <see cref="BucketException"/> that is transient the outcome is unknown, and the caller must read the object and compare.
    /// </param>
    /// <param name="metadata">Written with it, and shown by <see cref="ListPageAsync"/>; null for none.</param>
    /// <param name="cancellationToken">Gives up; the outcome is then unknown.</param>
    /// <exception cref="BucketPreconditionException">The object is not at <paramref name="ifGenerationMatch"/>.</exception>
    public Task<BucketObject> UploadAsync(
        string name, ReadOnlyMemory<byte> content, string contentType, long? ifGenerationMatch, IReadOnlyDictionary<string, string>? metadata,
        CancellationToken cancellationToken)
    {
        var address = _addresses.Upload(name, ifGenerationMatch);
        var checksum = Crc32C.Of(content.Span);
        var call = new BucketCall(Action("write", name), () => new HttpRequestMessage(HttpMethod.Post, address)
        {
            Content = new MultipartContent("related")
            {
                JsonContent(new UploadResource(name, contentType, checksum, metadata), BucketJson.Default.UploadResource),
                new ReadOnlyMemoryContent(content) { Headers = { ContentType = MediaTypeHeaderValue.Parse(contentType) } },
            },
        }, content.Length);
        return ifGenerationMatch is null
            ? _connection.RepeatAsync(call, ReadObjectAsync, cancellationToken)
            : _connection.TryAsync(call, ReadObjectAsync, cancellationToken);
    }

    /// <summary>Writes an object from a stream of any length, over whatever has its name. Held in memory: <see cref="GcsOptions.UploadChunkBytes"/>.</summary>
    /// <exception cref="IOException">The content cannot be read.</exception>
    public async Task<BucketObject> UploadAsync(string name, Stream content, string contentType, CancellationToken cancellationToken)
    {
        var chunk = new byte[_options.UploadChunkBytes / ResumableUpload.ChunkUnitBytes * ResumableUpload.ChunkUnitBytes];
        var length = await content.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken);
        if (length < chunk.Length) return await UploadAsync(name, chunk.AsMemory(0, length), contentType, ifGenerationMatch: null, cancellationToken);

        var address = _addresses.StartUpload(name);
        var call = new BucketCall(Action("write", name), () => new HttpRequestMessage(HttpMethod.Post, address)
        {
            Headers = { { "X-Upload-Content-Type", contentType } },
            Content = JsonContent(new UploadResource(name, contentType, Crc32c: null), BucketJson.Default.UploadResource),
        });
        var session = await _connection.RepeatAsync(
            call,
            (response, _) => Task.FromResult(response.Headers.Location ?? throw new FormatException("it has no address to upload to")),
            cancellationToken);
        var (written, checksum) = await new ResumableUpload(_connection, call.Action, session).SendAsync(content, chunk, cancellationToken);
        if (written.Crc32c is null || written.Crc32c == checksum) return written;

        await DeleteAsync(name, written.Generation, cancellationToken);
        throw BucketException.Unanswered(call.Action, "the bucket received other bytes than were sent, and they were deleted again");
    }

    /// <summary>All objects whose name begins with a prefix, by name, page after page.</summary>
    /// <param name="prefix">Empty for all.</param>
    /// <param name="startOffset">Only names that are this one or come after it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async IAsyncEnumerable<BucketObject> ListAsync(
        string prefix, string? startOffset = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var page in PagesAsync(prefix, delimiter: null, startOffset, _options.ListPageSize, cancellationToken))
            foreach (var item in page.Items ?? [])
                yield return item.ToBucketObject();
    }

    /// <summary>One page of the objects whose name begins with a prefix, by name, with what their writers wrote beside them.</summary>
    /// <param name="prefix">Empty for all.</param>
    /// <param name="token">Of the page before; null for the first.</param>
    /// <param name="limit">How many at most, 1 to 1,000. There may be fewer although more follow.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<BucketPage> ListPageAsync(string prefix, string? token, int limit, CancellationToken cancellationToken)
    {
        var address = _addresses.List(prefix, delimiter: null, startOffset: null, limit, token, ObjectResource.FieldsWithMetadata);
        var call = new BucketCall($"list objects {prefix}* of bucket {BucketName}", () => new HttpRequestMessage(HttpMethod.Get, address));
        return _connection.RepeatAsync(
            call,
            async (response, trying) =>
            {
                var page = await ReadJsonAsync(response, BucketJson.Default.ListResource, trying.Token);
                return new BucketPage(
                    [.. (page.Items ?? []).Select(item => item.ToBucketObject())],
                    string.IsNullOrEmpty(page.NextPageToken) ? null : page.NextPageToken,
                    response.Headers.Date ?? throw new FormatException("it has no Date"));
            },
            cancellationToken);
    }

    /// <summary>The "folders" right below a prefix, each with its slash at the end: of <c>a/b/1</c> and <c>a/c/2</c>, below <c>a/</c>, <c>a/b/</c> and <c>a/c/</c>.</summary>
    /// <param name="prefix">With its slash at the end.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async IAsyncEnumerable<string> ListPrefixesAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var page in PagesAsync(prefix, delimiter: "/", startOffset: null, _options.ListPageSize, cancellationToken))
            foreach (var folder in page.Prefixes ?? [])
                yield return folder;
    }

    /// <summary>True when at least one object's name begins with the prefix.</summary>
    public async Task<bool> ExistsAnyAsync(string prefix, CancellationToken cancellationToken)
    {
        // A page may be empty and yet not be the last.
        await foreach (var page in PagesAsync(prefix, delimiter: null, startOffset: null, pageSize: 1, cancellationToken))
            if (page.Items is { Count: > 0 }) return true;
        return false;
    }

    /// <summary>Deletes an object.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="ifGenerationMatch">Only this generation of it; null for any.</param>
    /// <param name="cancellationToken">Gives up; the outcome is then unknown.</param>
    /// <returns>False when there is none, also when an earlier try of this very call deleted it and its answer was lost.</returns>
    /// <exception cref="BucketPreconditionException">The object is not at <paramref name="ifGenerationMatch"/>.</exception>
    public Task<bool> DeleteAsync(string name, long? ifGenerationMatch, CancellationToken cancellationToken)
    {
        var address = _addresses.Delete(name, ifGenerationMatch);
        var call = new BucketCall(Action("delete", name), () => new HttpRequestMessage(HttpMethod.Delete, address), AlsoExpected: HttpStatusCode.NotFound);
        return _connection.RepeatAsync(call, async (response, trying) => !await IsAbsentAsync(response, trying.Token), cancellationToken);
    }

    /// <summary>Makes the bucket of an emulator unless it exists.</summary>
    /// <exception cref="InvalidOperationException">The bucket is Google's: those are made by their owner.</exception>
    public Task EnsureBucketAsync(CancellationToken cancellationToken)
    {
        if (_options.EmulatorHost is null) throw new InvalidOperationException("Only the bucket of an emulator is made by the program.");
        var call = new BucketCall($"make bucket {BucketName}", () => new HttpRequestMessage(HttpMethod.Post, _addresses.Buckets)
        {
            Content = JsonContent(new BucketResource(BucketName), BucketJson.Default.BucketResource),
        }, AlsoExpected: HttpStatusCode.Conflict);
        return _connection.RepeatAsync(call, (_, _) => Task.FromResult(true), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private Task<BucketObject?> GetAsync(string name, long? generation, CancellationToken cancellationToken)
    {
        var address = _addresses.Metadata(name, generation);
        var call = new BucketCall(Action("describe", name), () => new HttpRequestMessage(HttpMethod.Get, address), AlsoExpected: HttpStatusCode.NotFound);
        return _connection.RepeatAsync(
            call,
            async (response, trying) => await IsAbsentAsync(response, trying.Token) ? null : await ReadObjectAsync(response, trying),
            cancellationToken);
    }

    private async IAsyncEnumerable<ListResource> PagesAsync(
        string prefix, string? delimiter, string? startOffset, int pageSize, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? token = null;
        do
        {
            var address = _addresses.List(prefix, delimiter, startOffset, pageSize, token);
            var call = new BucketCall($"list objects {prefix}* of bucket {BucketName}", () => new HttpRequestMessage(HttpMethod.Get, address));
            var page = await _connection.RepeatAsync(
                call, (response, trying) => ReadJsonAsync(response, BucketJson.Default.ListResource, trying.Token), cancellationToken);
            yield return page;
            token = page.NextPageToken;
        }
        while (!string.IsNullOrEmpty(token));
    }

    private BucketCall Reading(string name, long? generation = null)
    {
        var address = _addresses.Media(name, generation);
        return new BucketCall(Action("read", name), () => new HttpRequestMessage(HttpMethod.Get, address), AlsoExpected: HttpStatusCode.NotFound);
    }

    private async Task<BucketContent?> ReadContentAsync(string name, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (await IsAbsentAsync(response, cancellationToken)) return null;
        try
        {
            await response.Content.LoadIntoBufferAsync(_options.MaxObjectBytes, cancellationToken);
        }
        catch (HttpRequestException tooLarge) when (tooLarge.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw new BucketException(
                $"Cannot {Action("read", name)}: it has more than {_options.MaxObjectBytes} bytes. Raise Gcs:MaxObjectBytes if it should.",
                response.StatusCode, isTransient: false, tooLarge);
        }

        var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        var checksum = Crc32cOf(response);
        EnsureChecksum(Action("read", name), checksum, Crc32C.Of(bytes));
        var generation = LongHeader(response, "x-goog-generation") ?? throw new FormatException("it has no x-goog-generation");

        // Google's JSON API does not promise Last-Modified; the description of this very version has the same time.
        var updated = response.Content.Headers.LastModified
            ?? (await GetAsync(name, generation, cancellationToken))?.Updated
            ?? throw new FormatException("the object changed while it was read");
        var described = new BucketObject(name, generation, LongHeader(response, "x-goog-metageneration") ?? 1, bytes.Length, updated, checksum);
        return new BucketContent(described, bytes, response.Headers.Date ?? throw new FormatException("it has no Date"));
    }

    // 404 stands for the object or for the bucket; only where the answer does not name the object is the bucket looked for.
    private async ValueTask<bool> IsAbsentAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.StatusCode != HttpStatusCode.NotFound) return false;
        var reason = await BucketConnection.ReasonAsync(response, cancellationToken);
        if (!reason.Contains("No such object", StringComparison.OrdinalIgnoreCase)) await ExistsAnyAsync("", cancellationToken);
        return true;
    }

    internal static Task<BucketObject> ReadObjectAsync(HttpResponseMessage response, BucketTry trying) => ReadObjectAsync(response, trying.Token);

    private static async Task<BucketObject> ReadObjectAsync(HttpResponseMessage response, CancellationToken cancellationToken) =>
        (await ReadJsonAsync(response, BucketJson.Default.ObjectResource, cancellationToken)).ToBucketObject();

    private static async Task<T> ReadJsonAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        await response.Content.LoadIntoBufferAsync(MaxMetadataBytes, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return await JsonSerializer.DeserializeAsync(body, type, cancellationToken) ?? throw new FormatException("it is empty");
    }

    private static async Task<string> CopyAsync(HttpContent content, Stream destination, BucketTry trying)
    {
        var checksum = new Crc32C();
        var buffer = new byte[CopyBytes];
        await using var body = await content.ReadAsStreamAsync(trying.Token);
        while (true)
        {
            int length;
            try
            {
                length = await body.ReadAsync(buffer, trying.Token);
            }
            catch (IOException cut)
            {
                // Told apart from a failure to write the destination, which no repetition would mend.
                throw new HttpRequestException(cut.Message, cut);
            }

            if (length == 0) return checksum.ToString();
            trying.Extend();
            checksum.Append(buffer.AsSpan(0, length));
            await destination.WriteAsync(buffer.AsMemory(0, length), trying.Token);
        }
    }

    private static void EnsureChecksum(string action, string? expected, string found)
    {
        if (expected is not null && expected != found)
            throw BucketException.Unanswered(action, $"the bytes are damaged (CRC-32C {found}, the bucket says {expected})");
    }

    // "crc32c=...,md5=...", in one header or in two.
    private static string? Crc32cOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("x-goog-hash", out var values)
            ? values.SelectMany(value => value.Split(',', StringSplitOptions.TrimEntries))
                .FirstOrDefault(hash => hash.StartsWith("crc32c=", StringComparison.OrdinalIgnoreCase))?["crc32c=".Length..]
            : null;

    private static long? LongHeader(HttpResponseMessage response, string header) =>
        response.Headers.TryGetValues(header, out var values) && long.TryParse(values.First(), CultureInfo.InvariantCulture, out var value) ? value : null;

    private static ByteArrayContent JsonContent<T>(T value, JsonTypeInfo<T> type) =>
        new(JsonSerializer.SerializeToUtf8Bytes(value, type)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json", "UTF-8") } };

    private string Action(string verb, string name) => $"{verb} object {name} of bucket {BucketName}";
}
