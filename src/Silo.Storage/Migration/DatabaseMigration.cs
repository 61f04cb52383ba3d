using Microsoft.Data.Sqlite;
using Silo.Contracts;
using Silo.Storage.Sqlite;
using Silo.Storage.Turso;

namespace Silo.Storage.Migration;

/// <summary>
/// Brings one organization's database from Turso into a SQLite file, and proves it: <see cref="InspectAsync"/>, <see cref="CopyAsync"/>
/// while the source is written to, <see cref="CatchUpAsync"/> once or more, the last time while nobody writes, <see cref="VerifyAsync"/>,
/// <see cref="Adopt"/>. The source is only read.
/// <para>
/// No read of libSQL over HTTP is consistent for as long as a large copy takes: its streams expire. So the copy need not be consistent.
/// Every pass makes each table the same as one state of its source, and the last pass and the verification run while writes are refused.
/// </para>
/// One caller at a time. The methods block a thread of the pool where they use the file.
/// </summary>
public sealed class DatabaseMigration : IDisposable
{
    private const string Pragmas = $"""
        PRAGMA page_size = {OrgConnection.NewPageSize};
        PRAGMA encoding = 'UTF-8';
        PRAGMA journal_mode = MEMORY;
        PRAGMA synchronous = OFF;
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA temp_store = FILE;
        PRAGMA cache_size = -16000;
        PRAGMA foreign_keys = OFF;
        PRAGMA ignore_check_constraints = ON;
        """;

    private readonly TursoDatabase _source;
    private readonly MigrationOptions _options;
    private readonly TimeProvider _time;
    private readonly string _path;
    private SqliteConnection? _copy;
    private SourceSchema? _schema;

    /// <summary>Begins a migration; nothing is sent or written yet.</summary>
    /// <param name="source">The database on Turso.</param>
    /// <param name="path">The file that the copy is made in. One that is there is deleted: after a crash the copy begins anew.</param>
    /// <param name="options">Limits.</param>
    /// <param name="time">The clock.</param>
    public DatabaseMigration(TursoDatabase source, string path, MigrationOptions options, TimeProvider time) =>
        (_source, _path, _options, _time) = (source, path, options, time);

    private OrganizationId Organization => _source.Organization;

    /// <summary>Looks at the source: whether it can be reached, how large it is, and whether SQLite and our own schema take all of it.</summary>
    /// <exception cref="TursoException">It cannot be read.</exception>
    public async Task<MigrationPreflight> InspectAsync(CancellationToken cancellationToken)
    {
        var schema = await SourceSchema.ReadAsync(_source, cancellationToken);
        var encoding = (await ScalarAsync("PRAGMA encoding", cancellationToken)).AsText();
        var bytes = (await ScalarAsync("PRAGMA page_count", cancellationToken)).AsInteger() * (await ScalarAsync("PRAGMA page_size", cancellationToken)).AsInteger();
        List<string> problems = [], notes = [];
        if (encoding != "UTF-8") problems.Add($"The database is encoded in {encoding}; only UTF-8 can be copied exactly.");
        foreach (var reserved in schema.Objects.Where(found => SchemaWriting.IsReserved(found.Name)))
            problems.Add($"The {reserved.Title} has a name that this system needs: rename it.");

        using var rehearsal = new SchemaRehearsal(schema);
        problems.AddRange(rehearsal.Refused.Select(refused => $"SQLite does not take {refused.Object.Title}: {refused.Reason}"));
        if (problems.Count == 0)
        {
            try
            {
                rehearsal.Adopt(Organization);
            }
            catch (Exception e) when (e is SqliteException or SchemaException)
            {
                problems.Add($"Our own schema does not fit over this one: {e.Message}");
            }
        }
        var tables = new List<TableRows>();
        foreach (var table in rehearsal.Tables)
            tables.Add(new TableRows(table.Name, (await ScalarAsync($"SELECT count(*) FROM {TableShape.Quoted(table.Name)}", cancellationToken)).AsInteger()));
        foreach (var found in schema.Objects.Where(found => found.IsVirtual)) notes.Add($"The {found.Title} is copied with the tables that it keeps its rows in.");
        return new MigrationPreflight(_source.Address.ToString(), bytes, tables, schema.Objects.Count, problems, notes);
    }

    /// <summary>Copies everything but views and triggers. Writes to the source may go on meanwhile.</summary>
    /// <exception cref="MigrationException"><see cref="MigrationFailure.NotPossible"/>: see <see cref="InspectAsync"/>.</exception>
    /// <exception cref="TursoException">The source could not be read, however often it was tried.</exception>
    /// <exception cref="SqliteException">The disk refused; the file is of no use.</exception>
    public async Task<MigrationPass> CopyAsync(Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        Close();
        Delete();
        _schema = await SourceSchema.ReadAsync(_source, cancellationToken);
        using var rehearsal = Rehearse(_schema);
        // SQLite would make it readable by all.
        new FileStream(_path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }).Dispose();
        _copy = SqliteLibrary.Connection(new SqliteConnectionStringBuilder { DataSource = _path, Pooling = false });
        _copy.Open();
        _copy.Execute(Pragmas);
        SchemaWriting.Prepare(_copy, _schema);
        foreach (var table in _schema.Objects.Where(SchemaWriting.HasRows)) SchemaWriting.Make(_copy, table);
        var pass = await PassAsync(_copy, rehearsal, progress, cancellationToken);
        MakeIndexes(_copy, _schema, isConsistent: false);
        return pass;
    }

    /// <summary>
    /// Makes the copy the same as the source is now. While nobody writes there, it is the same afterwards, and complete. Of two passes
    /// before writes are refused, the second has only the changes since the first to write.
    /// </summary>
    /// <param name="isFrozen">Whether nobody writes to the source: then indexes, views and triggers are completed.</param>
    /// <param name="progress">Told of each chunk.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MigrationException"><see cref="MigrationFailure.SchemaChanged"/>: begin again with <see cref="CopyAsync"/>.</exception>
    /// <exception cref="TursoException">The source could not be read, however often it was tried.</exception>
    public async Task<MigrationPass> CatchUpAsync(bool isFrozen, Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        var (copy, schema) = (_copy, _schema) is ({ } made, { } known) ? (made, known) : throw new InvalidOperationException("There is no copy yet.");
        var now = await SourceSchema.ReadAsync(_source, cancellationToken);
        if (!(now with { UserVersion = schema.UserVersion, ApplicationId = schema.ApplicationId }).IsSameAs(schema))
            throw new MigrationException(Organization, MigrationFailure.SchemaChanged, "the schema of the Turso database was changed while it was copied.");
        _schema = schema = now;
        // Triggers would answer what the copy does to itself.
        foreach (var trigger in SchemaWriting.Read(copy).Objects.Where(found => found.Type == "trigger")) copy.Execute($"DROP TRIGGER {TableShape.Quoted(trigger.Name)}");
        using var rehearsal = Rehearse(schema);
        var pass = await PassAsync(copy, rehearsal, progress, cancellationToken);
        if (isFrozen) Complete(copy, schema);
        return pass;
    }

    /// <summary>Compares the copy with the source: schema, rows and their hashes, both read anew.</summary>
    /// <exception cref="TursoException">The source could not be read, however often it was tried.</exception>
    public Task<MigrationVerification> VerifyAsync(Action<MigrationProgress>? progress, CancellationToken cancellationToken) =>
        Verifier().VerifyAsync(_copy ?? throw new InvalidOperationException("There is no copy yet."), progress, cancellationToken);

    /// <summary>Lays our own schema over a verified copy, checks that every contact was taken over, and puts the file to rest on the disk.</summary>
    /// <exception cref="MigrationException"><see cref="MigrationFailure.NotAdopted"/>.</exception>
    public void Adopt()
    {
        var (copy, schema) = (_copy, _schema) is ({ } made, { } known) ? (made, known) : throw new InvalidOperationException("There is no copy yet.");
        try
        {
            // It changes all contacts in one statement; what that would undo belongs onto the disk (a million of them: 200 MB).
            copy.Execute("PRAGMA journal_mode = DELETE");
            SchemaWriting.LayOver(copy, Organization, schema);
            if (schema.Objects.Any(found => found is { Type: "table", Name: "contacts" }))
            {
                var (kept, taken) = (copy.Scalar<long>($"SELECT count(*) FROM {SchemaWriting.KeptContacts}"), copy.Scalar<long>("SELECT count(*) FROM contacts"));
                if (kept != taken) throw new MigrationException(Organization, MigrationFailure.NotAdopted, $"of {kept} contacts {taken} were taken over.");
            }
        }
        catch (Exception e) when (e is SqliteException or SchemaException)
        {
            throw new MigrationException(Organization, MigrationFailure.NotAdopted, $"our own schema does not fit over its rows: {e.Message}", e);
        }
        Close();
        using var file = File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Compares a migrated organization's database with the Turso database that it came from.</summary>
    /// <param name="source">The database on Turso.</param>
    /// <param name="database">The organization's file; it may be in use.</param>
    /// <param name="options">Limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="progress">Told of each chunk.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="TursoException">The source could not be read, however often it was tried.</exception>
    /// <exception cref="MigrationException">The source's schema was changed to one that SQLite does not take.</exception>
    public static async Task<MigrationVerification> VerifyLaterAsync(
        TursoDatabase source, string database, MigrationOptions options, TimeProvider time, Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        using var reader = OrgConnection.OpenReader(database);
        return await new MigrationVerifier(source, options, time).VerifyAdoptedAsync(reader, progress, cancellationToken);
    }

    /// <summary>Closes the file; it stays.</summary>
    public void Dispose() => Close();

    private MigrationVerifier Verifier() => new(_source, _options, _time);

    private SchemaRehearsal Rehearse(SourceSchema schema)
    {
        var rehearsal = new SchemaRehearsal(schema);
        if (rehearsal.Refused is not [var (refused, reason), ..]) return rehearsal;
        rehearsal.Dispose();
        throw new MigrationException(Organization, MigrationFailure.NotPossible, $"SQLite does not take {refused.Title}: {reason}");
    }

    private async Task<MigrationPass> PassAsync(SqliteConnection copy, SchemaRehearsal rehearsal, Action<MigrationProgress>? progress, CancellationToken cancellationToken)
    {
        var changed = new List<string>();
        long rows = 0;
        foreach (var shape in rehearsal.Tables)
        {
            var isChanged = false;
            using var table = new TargetTable(copy, shape);
            await using var source = new SourceRows(_source, shape, _options, _time);
            await foreach (var chunk in source.ReadAsync(cancellationToken))
            {
                isChanged |= table.Take(chunk);
                rows += chunk.Count;
                progress?.Invoke(new MigrationProgress(shape.Name, rows));
            }
            isChanged |= table.End();
            if (isChanged) changed.Add(shape.Name);
        }
        return new MigrationPass(rows, changed);
    }

    private static void Complete(SqliteConnection copy, SourceSchema schema)
    {
        MakeIndexes(copy, schema, isConsistent: true);
        SchemaWriting.MakeVirtual(copy, schema);
        var there = SchemaWriting.Read(copy).Objects.Select(found => (found.Type, found.Name)).ToHashSet();
        foreach (var wanted in schema.Objects.Where(wanted => wanted.Type is "view" or "trigger").OrderBy(SchemaWriting.Order))
        {
            if (!there.Contains((wanted.Type, wanted.Name))) SchemaWriting.Make(copy, wanted);
        }
        copy.Execute($"PRAGMA user_version = {schema.UserVersion}; PRAGMA application_id = {schema.ApplicationId}");
    }

    /// <summary>Makes the indexes that are not there yet. Rows of different moments may break the rule of a unique one, which then has to wait.</summary>
    private static void MakeIndexes(SqliteConnection copy, SourceSchema schema, bool isConsistent)
    {
        var there = SchemaWriting.Read(copy).Objects.Where(found => found.Type == "index").Select(found => found.Name).ToHashSet();
        foreach (var index in schema.Objects.Where(wanted => wanted.Type == "index" && !there.Contains(wanted.Name)))
        {
            try
            {
                SchemaWriting.Make(copy, index);
            }
            catch (SqliteException e) when (!isConsistent && e.SqliteErrorCode == SQLitePCL.raw.SQLITE_CONSTRAINT)
            {
                // Made when the rows are those of one moment.
            }
        }
    }

    private async Task<TursoValue> ScalarAsync(string sql, CancellationToken cancellationToken) =>
        (await _source.QueryAsync(new TursoStatement(sql), cancellationToken)).Rows.Single().Single();

    private void Close()
    {
        _copy?.Dispose();
        _copy = null;
    }

    private void Delete()
    {
        File.Delete(_path);
        File.Delete(_path + "-journal");
    }
}
