using System.Globalization;
using System.Net;

namespace Silo.Storage.Gcs;

/// <summary>
/// One object on its way to the bucket in chunks. After a failure it asks what the bucket has and goes on from there, so no byte is read
/// twice from the source.
/// </summary>
/// <param name="connection">Sends the chunks.</param>
/// <param name="action">What is being written, for messages.</param>
/// <param name="session">The address that the bucket gave for this upload. It is its own permission, so no credentials go there.</param>
internal sealed class ResumableUpload(BucketConnection connection, string action, Uri session)
{
    /// <summary>Every chunk but the last is a multiple of this.</summary>
    public const int ChunkUnitBytes = 256 * 1024;

    // What the bucket has of the object, and the object once it is whole.
    private readonly record struct Progress(long Bytes, BucketObject? Whole);

    /// <summary>Sends the content to its end.</summary>
    /// <param name="content">What comes after the first chunk.</param>
    /// <param name="chunk">The first chunk, full; used for the later ones.</param>
    /// <param name="cancellationToken">Gives up; no object is made.</param>
    /// <returns>The object, and the checksum of what was sent.</returns>
    public async Task<(BucketObject Written, string Crc32c)> SendAsync(Stream content, byte[] chunk, CancellationToken cancellationToken)
    {
        var checksum = new Crc32C();
        var offset = 0L;
        var length = chunk.Length;
        while (true)
        {
            checksum.Append(chunk.AsSpan(0, length));
            var isLast = length < chunk.Length;
            var whole = await SendChunkAsync(chunk.AsMemory(0, length), offset, isLast, cancellationToken);
            if (isLast) return (whole ?? throw Broken("the bucket waits for more than the whole"), checksum.ToString());
            if (whole is not null) throw Broken("the bucket took a part for the whole");
            offset += length;
            length = await content.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken);
        }
    }

    private Task<BucketObject?> SendChunkAsync(ReadOnlyMemory<byte> chunk, long offset, bool isLast, CancellationToken cancellationToken)
    {
        var end = offset + chunk.Length;
        long? has = offset;
        return connection.RepeatAsync(
            action,
            connection.TotalTime(chunk.Length),
            async token =>
            {
                var known = has is { } bytes ? new Progress(bytes, null) : await PutAsync(default, "bytes */*", token);
                if (known.Whole is not null) return known.Whole;
                if (known.Bytes < offset || known.Bytes > end) throw Broken($"the bucket has {known.Bytes} bytes, outside of {offset} to {end}");

                has = null; // until the answer to what is sent now, only the bucket knows
                var total = isLast ? end.ToString(CultureInfo.InvariantCulture) : "*";
                var rest = chunk[(int)(known.Bytes - offset)..];
                var range = rest.IsEmpty
                    ? $"bytes */{total}"
                    : string.Create(CultureInfo.InvariantCulture, $"bytes {known.Bytes}-{end - 1}/{total}");
                var now = rest.IsEmpty && !isLast ? known : await PutAsync(rest, range, token);
                if (now.Whole is null && now.Bytes < end) throw BucketException.Unanswered(action, $"the bucket took {now.Bytes} of {end} bytes");
                return now.Whole;
            },
            cancellationToken);
    }

    private Task<Progress> PutAsync(ReadOnlyMemory<byte> bytes, string range, CancellationToken cancellationToken)
    {
        var call = new BucketCall(action, Request, bytes.Length, AlsoExpected: HttpStatusCode.PermanentRedirect) { NeedsCredential = false };
        return connection.TryAsync(call, ReadProgressAsync, cancellationToken);

        HttpRequestMessage Request()
        {
            var content = new ReadOnlyMemoryContent(bytes);
            content.Headers.TryAddWithoutValidation("Content-Range", range); // "bytes */*" is more than .NET would parse
            return new HttpRequestMessage(HttpMethod.Put, session) { Content = content };
        }
    }

    private static async Task<Progress> ReadProgressAsync(HttpResponseMessage response, BucketTry trying)
    {
        if (response.StatusCode != HttpStatusCode.PermanentRedirect) return new Progress(0, await BucketClient.ReadObjectAsync(response, trying));
        if (!response.Headers.TryGetValues("Range", out var ranges)) return default;
        var last = ranges.First().Split('-')[^1];
        return long.TryParse(last, CultureInfo.InvariantCulture, out var index)
            ? new Progress(index + 1, null)
            : throw new FormatException($"'{last}' is no end of a range");
    }

    private BucketException Broken(string reason) => new($"Cannot {action}: {reason}. Upload it again from its start.", null, isTransient: false);
}
