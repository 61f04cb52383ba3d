using Silo.GcsEmulator.Store;
using Silo.GcsEmulator.Uploads;

namespace Silo.GcsEmulator;

/// <summary>Everything that an emulator keeps on disk: the objects, and the uploads under way.</summary>
internal sealed class DataFolder : IDisposable
{
    private readonly FileStream _ownership;

    private DataFolder(string path, FileStream ownership, ObjectStore store, UploadSessions sessions) =>
        (Path, _ownership, Store, Sessions) = (path, ownership, store, sessions);

    public string Path { get; }

    public ObjectStore Store { get; }

    public UploadSessions Sessions { get; }

    /// <summary>Opens the folder, creating it when needed, and brings back what an earlier run left in it.</summary>
    public static async Task<DataFolder> OpenAsync(GcsEmulatorOptions options, CancellationToken cancellationToken)
    {
        var path = System.IO.Path.GetFullPath(options.DataDirectory);
        // Whoever could look into it would read every object; one that is there already is as its owner wants it.
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var ownership = Own(path);
        try
        {
            var disk = new DiskFlush(options.FlushToDisk);
            var sessions = UploadSessions.Open(path, disk, options.TimeProvider, options.LoggerFactory.CreateLogger<UploadSessions>());
            var store = await ObjectStore.OpenAsync(path, disk, options.TimeProvider, sessions.OpenContents, cancellationToken);
            sessions.Settle(store);
            foreach (var name in options.Buckets) store.EnsureBucket(name);
            return new DataFolder(path, ownership, store, sessions);
        }
        catch
        {
            await ownership.DisposeAsync();
            throw;
        }
    }

    public void Dispose()
    {
        Sessions.Dispose();
        Store.Dispose();
        _ownership.Dispose();
    }

    /// <summary>The system lets go of the lock when the process is gone, however it ended.</summary>
    private static FileStream Own(string path)
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException inUse)
        {
            throw new IOException($"The data folder {path} is used by another emulator. Stop that one, or choose another folder.", inUse);
        }
    }
}
