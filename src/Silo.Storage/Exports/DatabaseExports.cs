using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Databases;

namespace Silo.Storage.Exports;

/// <summary>
/// The exports of a silo: few at once, and never from the room on the disk that its databases need. What a silo that was killed leaves of
/// them is in the folder of temporary files, which is emptied at every start.
/// </summary>
public sealed class DatabaseExports(IOptions<ExportsOptions> options, IOptions<DatabaseOptions> databases)
{
    private readonly ExportsOptions _options = options.Value;
    private readonly string _dataDirectory = databases.Value.DataDirectory;
    private readonly Lock _lock = new();
    private int _count; // under _lock
    private long _unwritten; // bytes that those which are being made may still write; under _lock

    /// <summary>How many there are, being made or held.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _count;
        }
    }

    /// <summary>The bounds.</summary>
    public ExportsOptions Options => _options;

    /// <summary>Begins to copy a database.</summary>
    /// <returns>The export. Whoever has it must dispose it.</returns>
    /// <exception cref="OrganizationException">
    /// <see cref="OrganizationErrorCode.TooManyRequests"/>: there are as many as may be. <see cref="OrganizationErrorCode.DatabaseUnavailable"/>:
    /// the disk has no room for it.
    /// </exception>
    public DatabaseExport Begin(OrgDatabase database)
    {
        ArgumentNullException.ThrowIfNull(database);
        var bytes = database.MaxCopyBytes;
        lock (_lock)
        {
            if (_count >= _options.MaxConcurrent)
                throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "As many exports are made and fetched as this silo has at once (Exports:MaxConcurrent).") { RetryAfter = TimeSpan.FromSeconds(10) };
            if (new DriveInfo(_dataDirectory).AvailableFreeSpace - _unwritten - bytes < _options.KeepFreeBytes)
                throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The silo's disk has no room for an export beside its databases (Exports:KeepFreeBytes).") { RetryAfter = TimeSpan.FromMinutes(1) };
            _count++;
            _unwritten += bytes;
        }
        return new DatabaseExport(database, OrgFiles.NewTemporary(_dataDirectory), _options.MaxWriteHold, written: () => Written(bytes), ended: Ended);
    }

    private void Written(long bytes)
    {
        lock (_lock) _unwritten -= bytes;
    }

    private void Ended()
    {
        lock (_lock) _count--;
    }
}
