using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>What a session leaves on disk, so that a restart can go on with it.</summary>
internal sealed record SessionRecord(string Id, UploadTarget Target, long Content, DateTimeOffset Started);

/// <summary>One resumable upload: pieces arrive in turns, until the last one makes it an object.</summary>
internal sealed class UploadSession(SessionRecord record, Bucket bucket, DateTimeOffset lastUsed) : IDisposable
{
    public SessionRecord Record => record;

    /// <summary>Where it began: another one may have the same name since.</summary>
    public Bucket Bucket => bucket;

    public string Id => record.Id;

    public UploadTarget Target => record.Target;

    /// <summary>One piece at a time: a client that lost its connection may be back before the server has noticed.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>The bytes so far; null until the first use after a restart, and once the upload has ended. Under <see cref="Turn"/>.</summary>
    public ContentWriter? Content { get; set; }

    /// <summary>What the upload became, so that a client whose answer was lost can ask again. Under <see cref="Turn"/>.</summary>
    public StoredObject? Result { get; set; }

    public DateTimeOffset LastUsed { get; set; } = lastUsed;

    public void Dispose()
    {
        Content?.Dispose();
        Turn.Dispose();
    }
}
