using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>The resumable uploads under way, and the last ones that ended. Each has a small file, so a restart keeps it.</summary>
internal sealed class UploadSessions : IDisposable
{
    /// <summary>Ended sessions that are remembered.</summary>
    private const int EndedLimit = 1_000;

    /// <summary>Open sessions; the one unused longest makes room.</summary>
    private const int OpenLimit = 1_000;

    private readonly ConcurrentDictionary<string, UploadSession> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _ended = new();
    private readonly string _folder;
    private readonly TimeProvider _time;

    private UploadSessions(string folder, TimeProvider time) => (_folder, _time) = (folder, time);

    /// <summary>The content files that belong to sessions, by bucket.</summary>
    public ILookup<string, long> OpenContents =>
        _sessions.Values.ToLookup(session => session.Target.Bucket, session => session.Record.Content, StringComparer.Ordinal);

    public static UploadSessions Open(string dataFolder, TimeProvider time)
    {
        var sessions = new UploadSessions(Directory.CreateDirectory(Path.Combine(dataFolder, "sessions")).FullName, time);
        foreach (var path in Directory.EnumerateFiles(sessions._folder))
        {
            if (Read(path) is { } record) sessions._sessions[record.Id] = new UploadSession(record, time.GetUtcNow());
            else File.Delete(path);
        }
        return sessions;
    }

    /// <summary>After a start: a session whose object was stored just before the crash has ended.</summary>
    public void Settle(ObjectStore store)
    {
        foreach (var session in _sessions.Values)
        {
            var bucket = store.Buckets.FirstOrDefault(bucket => bucket.Name == session.Target.Bucket);
            if (bucket is null) Remove(session);
            else if (bucket.FindByContent(session.Target.Name, session.Record.Content) is { } stored) Complete(session, stored);
        }
    }

    public UploadSession Begin(UploadTarget target, Bucket bucket)
    {
        if (_sessions.Count >= OpenLimit + EndedLimit) MakeRoom();
        var content = bucket.NewContent();
        content.Keep(); // the session's file names it from here on
        var session = new UploadSession(new SessionRecord(Guid.NewGuid().ToString("N"), target, content.Number), _time.GetUtcNow())
        {
            Content = content,
        };
        var fresh = PathOf(session) + ".new";
        File.WriteAllBytes(fresh, JsonSerializer.SerializeToUtf8Bytes(session.Record, SessionJson.Default.SessionRecord));
        File.Move(fresh, PathOf(session));
        _sessions[session.Id] = session;
        return session;
    }

    public UploadSession Get(string id)
    {
        if (!_sessions.TryGetValue(id, out var session)) throw GcsRefusal.NoUpload();
        session.LastUsed = _time.GetUtcNow();
        return session;
    }

    /// <summary>The upload became an object: its bytes belong to that now. Called in the session's turn.</summary>
    public void Complete(UploadSession session, StoredObject result)
    {
        session.Result = result;
        session.Content?.Dispose();
        session.Content = null;
        File.Delete(PathOf(session));
        _ended.Enqueue(session.Id);
        while (_ended.Count > EndedLimit && _ended.TryDequeue(out var id)) _sessions.TryRemove(id, out _);
    }

    /// <summary>The upload was given up or refused: its bytes go.</summary>
    public void Remove(UploadSession session)
    {
        if (!_sessions.TryRemove(session.Id, out _)) return;
        File.Delete(PathOf(session));
        session.Content?.Discard();
        session.Content?.Dispose();
        session.Content = null;
    }

    public void Dispose()
    {
        foreach (var session in _sessions.Values) session.Dispose();
    }

    private void MakeRoom()
    {
        var oldest = _sessions.Values.Where(session => session.Result is null && session.Turn.CurrentCount > 0).MinBy(session => session.LastUsed);
        if (oldest is null || !oldest.Turn.Wait(0)) return;
        Remove(oldest);
        oldest.Turn.Release();
    }

    private string PathOf(UploadSession session) => Path.Combine(_folder, session.Id);

    private static SessionRecord? Read(string path)
    {
        if (path.EndsWith(".new", StringComparison.Ordinal)) return null;
        return JsonSerializer.Deserialize(File.ReadAllBytes(path), SessionJson.Default.SessionRecord);
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SessionRecord))]
internal sealed partial class SessionJson : JsonSerializerContext;
