using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Databases;

namespace Silo.Storage.Exports;

/// <summary>
/// The exports of a silo: few at once, and never from the room on the disk that its databases need. What a silo that was killed leaves of
/// them is in the folder of temporary files, which is emptied at every start.
/// </summary>
public sealed class DatabaseExports
{
    private readonly ExportsOptions _options;
    private readonly string _dataDirectory;
    private readonly ExportMetrics _metrics;
    private readonly Lock _lock = new();
    private int _count; // under _lock
    private long _unwritten; // bytes that those which are being made may still write; under _lock

    /// <summary>Made once per silo.</summary>
    public DatabaseExports(IOptions<ExportsOptions> options, IOptions<DatabaseOptions> databases, IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(databases);
        _options = options.Value;
        _dataDirectory = databases.Value.DataDirectory;
        _metrics = new ExportMetrics(meters, () => Count);
    }

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
        try
        {
            Reserve(bytes);
        }
        catch (OrganizationException)
        {
            _metrics.Refused();
            throw;
        }
        return new DatabaseExport(database, OrgFiles.NewTemporary(_dataDirectory), _options.MaxWriteHold, isMade => Written(bytes, isMade), Ended);
    }

    private void Reserve(long bytes)
    {
        lock (_lock)
        {
            if (_count >= _options.MaxConcurrent)
                throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "As many exports are made and fetched as this silo has at once (Exports:MaxConcurrent).") { RetryAfter = TimeSpan.FromSeconds(10) };
            if (new DriveInfo(_dataDirectory).AvailableFreeSpace - _unwritten - bytes < _options.KeepFreeBytes)
                throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The silo's disk has no room for an export beside its databases (Exports:KeepFreeBytes).") { RetryAfter = TimeSpan.FromMinutes(1) };
            _count++;
            _unwritten += bytes;
        }
    }

    private void Written(long bytes, bool isMade)
    {
        _metrics.Ended(isMade);
        lock (_lock) _unwritten -= bytes;
    }

    private void Ended()
    {
        lock (_lock) _count--;
    }
}
