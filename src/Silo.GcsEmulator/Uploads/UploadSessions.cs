using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>The resumable uploads under way, and the last ones that ended. Each has a small file, so a restart keeps it.</summary>
internal sealed partial class UploadSessions : IDisposable
{
    /// <summary>Ended sessions that are remembered.</summary>
    private const int EndedLimit = 1_000;

    /// <summary>Open sessions; the one unused longest makes room.</summary>
    private const int OpenLimit = 1_000;

    /// <summary>As long as a session of GCS can be gone on with.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    private readonly ConcurrentDictionary<string, UploadSession> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _ended = new();
    private readonly List<SessionRecord> _left = []; // by an earlier run, until the buckets are open
    private readonly string _folder;
    private readonly DiskFlush _disk;
    private readonly TimeProvider _time;

    private UploadSessions(string folder, DiskFlush disk, TimeProvider time) => (_folder, _disk, _time) = (folder, disk, time);

    /// <summary>The content files that belong to sessions of an earlier run, by bucket.</summary>
    public ILookup<string, long> OpenContents => _left.ToLookup(record => record.Target.Bucket, record => record.Content, StringComparer.Ordinal);

    public static UploadSessions Open(string dataFolder, DiskFlush disk, TimeProvider time, ILogger logger)
    {
        var sessions = new UploadSessions(Directory.CreateDirectory(Path.Combine(dataFolder, "sessions")).FullName, disk, time);
        foreach (var path in Directory.EnumerateFiles(sessions._folder))
        {
            if (Read(path, logger) is { } record && !sessions.IsExpired(record)) sessions._left.Add(record);
            else File.Delete(path);
        }
        return sessions;
    }

    /// <summary>Goes on with what an earlier run left, now that its buckets are open.</summary>
    public void Settle(ObjectStore store)
    {
        foreach (var records in _left.GroupBy(record => record.Target.Bucket, StringComparer.Ordinal))
        {
            if (store.Find(records.Key) is { } bucket) Settle(records.ToList(), bucket);
            else foreach (var record in records) File.Delete(PathOf(record));
        }
        _left.Clear();
    }

    public UploadSession Begin(UploadTarget target, Bucket bucket)
    {
        foreach (var expired in _sessions.Values.Where(session => session.Result is null && IsExpired(session.Record))) TryRemove(expired);
        if (_sessions.Count >= OpenLimit + EndedLimit) MakeRoom();
        var content = bucket.NewContent();
        try
        {
            var now = _time.GetUtcNow();
            var session = new UploadSession(new SessionRecord(Guid.NewGuid().ToString("N"), target, content.Number, now), bucket, now) { Content = content };
            Write(session.Record);
            content.Keep(); // the session's file names it
            _sessions[session.Id] = session;
            return session;
        }
        catch
        {
            content.Dispose();
            throw;
        }
    }

    public UploadSession Get(string id)
    {
        if (!_sessions.TryGetValue(id, out var session)) throw GcsRefusal.NoUpload();
        if (session.Result is null && IsExpired(session.Record))
        {
            TryRemove(session);
            throw GcsRefusal.NoUpload();
        }
        session.LastUsed = _time.GetUtcNow();
        return session;
    }

    /// <summary>The upload became an object: its bytes belong to that now. Called in the session's turn.</summary>
    public void Complete(UploadSession session, StoredObject result)
    {
        session.Result = result;
        session.Content?.Dispose();
        session.Content = null;
        File.Delete(PathOf(session.Record));
        _ended.Enqueue(session.Id);
        while (_ended.Count > EndedLimit && _ended.TryDequeue(out var id)) _sessions.TryRemove(id, out _);
    }

    /// <summary>The upload was given up or refused: its bytes go. Called in the session's turn.</summary>
    public void Remove(UploadSession session)
    {
        if (!_sessions.TryRemove(session.Id, out _)) return;
        File.Delete(PathOf(session.Record));
        session.Content?.Dispose();
        session.Content = null;
        session.Bucket.DeleteContent(session.Target.Name, session.Record.Content);
    }

    public void Dispose()
    {
        foreach (var session in _sessions.Values) session.Dispose();
    }

    private void MakeRoom()
    {
        var oldest = _sessions.Values.Where(session => session.Result is null && session.Turn.CurrentCount > 0).MinBy(session => session.LastUsed);
        if (oldest is not null) TryRemove(oldest);
    }

    /// <summary>Leaves alone one that a piece is just arriving for.</summary>
    private void TryRemove(UploadSession session)
    {
        if (!session.Turn.Wait(0)) return;
        Remove(session);
        session.Turn.Release();
    }

    private bool IsExpired(SessionRecord record) => _time.GetUtcNow() - record.Started >= Lifetime;

    /// <summary>In one piece: a crash leaves a whole session or none.</summary>
    private void Write(SessionRecord record)
    {
        var fresh = PathOf(record) + ".new";
        using (var file = File.OpenHandle(fresh, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, JsonSerializer.SerializeToUtf8Bytes(record, SessionJson.Default.SessionRecord), 0);
            if (_disk.Waits) _disk.Force(file);
        }
        File.Move(fresh, PathOf(record));
    }

    /// <summary>A session without its bytes, or with bytes that an object has, is over: the object may be the one it was to become.</summary>
    private void Settle(List<SessionRecord> records, Bucket bucket)
    {
        var stored = bucket.FindByContent(records.Select(record => record.Content).ToHashSet());
        foreach (var record in records)
        {
            if (stored.TryGetValue(record.Content, out var item) ? item.Name != record.Target.Name : !bucket.HasContent(record.Content))
            {
                File.Delete(PathOf(record));
                continue;
            }
            var session = new UploadSession(record, bucket, _time.GetUtcNow());
            _sessions[session.Id] = session;
            if (item is not null) Complete(session, item);
        }
    }

    private string PathOf(SessionRecord record) => Path.Combine(_folder, record.Id);

    /// <summary>Null for what is no session, or no whole one: its client begins anew, and nobody else is held up by it.</summary>
    private static SessionRecord? Read(string path, ILogger logger)
    {
        if (path.EndsWith(".new", StringComparison.Ordinal)) return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), SessionJson.Default.SessionRecord);
        }
        catch (JsonException damaged)
        {
            LogDamaged(logger, damaged, path);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The upload session {Path} is damaged and is forgotten")]
    private static partial void LogDamaged(ILogger logger, Exception damaged, string path);
}

[JsonSourceGenerationOptions(
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(SessionRecord))]
internal sealed partial class SessionJson : JsonSerializerContext;
