using Microsoft.Extensions.Options;

namespace Silo.Storage.Databases;

/// <summary>
/// Keeps a data folder to one silo: what another process has in use would look like the leftovers of a crash. The kernel gives
/// the lock back when the process ends, however it ends.
/// </summary>
public sealed class DataDirectoryLock : IDisposable
{
    private readonly FileStream _lock;

    /// <summary>Makes the folder (mode 0700) and takes the lock.</summary>
    /// <exception cref="DataDirectoryException">The folder cannot be made, or another process has it.</exception>
    public DataDirectoryLock(IOptions<DatabaseOptions> options)
    {
        var folder = Path.GetFullPath(options.Value.DataDirectory);
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            _lock = new FileStream(Path.Combine(folder, "silo.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataDirectoryException($"The data folder '{folder}' cannot be used ({e.Message}). Give each silo a writable folder of its own: Database:DataDirectory.", e);
        }
    }

    /// <summary>Gives the lock back.</summary>
    public void Dispose() => _lock.Dispose();
}

/// <summary>A silo's data folder cannot be used.</summary>
public sealed class DataDirectoryException(string message, Exception innerException) : Exception(message, innerException);
