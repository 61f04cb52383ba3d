using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Databases;

namespace Silo.Storage.Imports;

/// <summary>
/// The way of one file from the bucket into an organization's database: fetched to this machine's disk, read and checked into a
/// <see cref="StagingDatabase"/>, merged. The work of all organizations of a silo goes through here, a few at a time.
/// </summary>
public sealed class ImportIntake(
    StagedImports staged, IOptions<ImportsOptions> options, IOptions<DatabaseOptions> databases, IMeterFactory meters, TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    private readonly ImportsOptions _options = options.Value;
    private readonly SemaphoreSlim _places = new(options.Value.MaxConcurrent);

    internal ImportsOptions Options => _options;

    internal StagedImports Staged => staged;

    internal TimeProvider Time => time;

    internal ImportMetrics Metrics { get; } = new(meters);

    internal ILogger Logger { get; } = loggers.CreateLogger("Silo.Storage.Import");

    /// <summary>Takes it in.</summary>
    /// <exception cref="ImportException">It cannot be, and never will. Nothing was changed.</exception>
    /// <exception cref="Gcs.BucketException">The bucket cannot be reached. Nothing was changed.</exception>
    /// <exception cref="OrganizationException">The database cannot be written to now. Nothing was changed.</exception>
    internal async Task<ImportRecord> TakeInAsync(ImportRun run, IOrgDatabase database, CancellationToken cancellationToken)
    {
        // Not in a place: a database whose upload hangs would keep out the imports of all others.
        await database.WaitUntilPublishedAsync(cancellationToken);
        await _places.WaitAsync(cancellationToken);
        var folder = OrgFiles.NewTemporary(databases.Value.DataDirectory);
        try
        {
            run.Reading();
            Directory.CreateDirectory(folder);
            var path = Path.Combine(folder, "received");
            await using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, FileOptions.Asynchronous))
            {
                if (!await staged.DownloadAsync(database.Organization, run.Import.Id, file, cancellationToken))
                    throw new ImportException(ImportErrorCode.StagedFileChanged, 0, "The file is not in the bucket any more. Send it again with a new Idempotency-Key.");
            }

            using var rows = new StagingDatabase(Path.Combine(folder, "rows.db"));
            var (columns, duplicates) = await BackgroundThread.RunAsync(() => Read(run, new ImportFile(path, run.Import, _options), rows, cancellationToken));
            File.Delete(path);
            run.Merging(columns);
            return await database.MergeAsync(
                new PendingMerge(run.Import, rows, columns, _options), counts => new ImportRecord(run.Import, run.Merged(counts, duplicates)), cancellationToken);
        }
        catch (Exception e) when (IsDiskFull(e))
        {
            throw new ImportException(ImportErrorCode.DiskFull, 0, "The silo's disk has no room for the import. Send it again later with a new Idempotency-Key.", e);
        }
        finally
        {
            try
            {
                if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            }
            finally
            {
                _places.Release();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _places.Dispose();

    /// <summary>Whether the disk refused, so that nothing can be written now.</summary>
    internal static bool IsDiskFull(Exception e) => e is SqliteException { SqliteErrorCode: OrgDatabase.DiskFull or OrgDatabase.InputOutput } or IOException;

    private (ContactColumns Columns, long Duplicates) Read(ImportRun run, ImportFile file, StagingDatabase staging, CancellationToken cancellationToken)
    {
        const int RowsBetweenLooks = 1_000;
        file.EnsureReceived();
        using var rows = file.Open();
        long read = 0, failed = 0;
        foreach (var row in rows.Read())
        {
            if (++read > _options.MaxRows) throw new ImportException(ImportErrorCode.TooManyRows, row.Row, $"The file has more than the {_options.MaxRows:N0} rows that are taken.");
            if (read % RowsBetweenLooks == 0) cancellationToken.ThrowIfCancellationRequested();
            run.Read(row);
            if (row.Fields is { } fields) staging.Add(row.Row, fields);
            else failed++;
        }
        if (failed > 0 && run.Import.Options.Strict) throw new ImportException(ImportErrorCode.ValidationFailed, 0, $"{failed:N0} of {read:N0} rows break the rules, and the import is strict.");
        return (rows.Columns, staging.Finish(run.Import.Options.OverwriteExisting).Removed);
    }
}
