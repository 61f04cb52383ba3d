using Microsoft.Extensions.Options;

namespace Silo.Storage.Databases;

/// <summary>
/// Keeps a data folder to one silo: what another process has in use would look like the leftovers of a crash. The kernel gives
/// the lock back when the process ends, however it ends: whoever had the folder before is dead.
/// </summary>
public sealed class DataDirectoryLock : IDisposable
{
    private const string LockFile = "silo.lock";
    private const string IdentityFile = "silo.id";

    private readonly FileStream _lock;

    /// <summary>Makes the folder (mode 0700) and takes the lock.</summary>
    /// <exception cref="DataDirectoryException">The folder cannot be made, or another process has it.</exception>
    public DataDirectoryLock(IOptions<DatabaseOptions> options)
    {
        var folder = Path.GetFullPath(options.Value.DataDirectory);
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            _lock = new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            Identity = ReadOrMakeIdentity(Path.Combine(folder, IdentityFile));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataDirectoryException($"The data folder '{folder}' cannot be used ({e.Message}). Give each silo a writable folder of its own: Database:DataDirectory.", e);
        }
    }

    /// <summary>
    /// A random name that stays with the folder, wherever it is mounted. Heads carry it, so that a silo knows an owner that had this
    /// folder for dead. A folder that is copied must not be used together with its copy.
    /// </summary>
    public string Identity { get; }

    /// <summary>Gives the lock back.</summary>
    public void Dispose() => _lock.Dispose();

    private static string ReadOrMakeIdentity(string path)
    {
        if (File.Exists(path) && Guid.TryParse(File.ReadAllText(path), out var found)) return found.ToString("n");
        var made = Guid.NewGuid().ToString("n");
        // In one step: half a name would be a new one at the next start, and the owner before it would count as alive.
        File.WriteAllText(path + ".new", made);
        File.Move(path + ".new", path, overwrite: true);
        return made;
    }
}

/// <summary>A silo's data folder cannot be used.</summary>
public sealed class DataDirectoryException(string message, Exception innerException) : Exception(message, innerException);
