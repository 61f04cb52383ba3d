using System.Collections.Concurrent;
using System.Text.Json;
using Orleans.Runtime.Placement;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Contracts.Databases;
using Silo.Contracts.Imports;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Gateway;

/// <summary>
/// What the stand-in grains below know and do. They keep rows in memory, so that the gateway is tested over real Orleans and real
/// Kestrel without databases; the system tests have the real ones.
/// </summary>
public sealed class StandIns
{
    public ConcurrentDictionary<string, Exception> Failures { get; } = new();

    public ConcurrentDictionary<string, TaskCompletionSource> Gates { get; } = new();

    public ConcurrentDictionary<string, SemaphoreSlim> Arrivals { get; } = new();

    public ConcurrentDictionary<string, Organization> Organizations { get; } = new();

    public ConcurrentDictionary<string, DatabaseStatus> Active { get; } = new();

    public ConcurrentDictionary<string, RestoreStatus> Restores { get; } = new();

    /// <summary>What the answer to a question about a migration is; each is given once, the last for ever.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<MigrationStatus>> Migrations { get; } = new();

    /// <summary>What was asked for of migrations.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<MigrationRequest>> MigrationRequests { get; } = new();

    /// <summary>What operators did.</summary>
    public ConcurrentDictionary<string, OperatorAction> Actions { get; } = new();

    /// <summary>The names that were asked for for copies.</summary>
    public ConcurrentDictionary<string, string> Names { get; } = new();

    /// <summary>What an export of an organization has.</summary>
    public ConcurrentDictionary<string, byte[]> Files { get; } = new();

    /// <summary>What is said to be the checksum of the file of an organization, if not its own.</summary>
    public ConcurrentDictionary<byte[], string> Checksums { get; } = new();

    /// <summary>Files of which only the first piece can be read.</summary>
    public ConcurrentDictionary<byte[], bool> BrokenExports { get; } = new();

    /// <summary>The exports that have not ended.</summary>
    public ConcurrentDictionary<Guid, byte[]> Exports { get; } = new();

    public ConcurrentDictionary<string, StagedImport> Imports { get; } = new();

    /// <summary>What the answer to a question about an import is; each is given once, the last for ever.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<ImportStatus>> ImportStatuses { get; } = new();

    public ConcurrentDictionary<string, LockStatus> Locks { get; } = new();

    public ConcurrentDictionary<string, ContactListQuery> LastQuery { get; } = new();

    /// <summary>Where organizations were to be opened, of those that were to be somewhere.</summary>
    public ConcurrentDictionary<string, SiloAddress> Hints { get; } = new();

    /// <summary>What the silos say of silos that have left.</summary>
    public ConcurrentDictionary<string, bool> DeadSilos { get; } = new();

    public SemaphoreSlim Arrival(string organization) => Arrivals.GetOrAdd(organization, _ => new SemaphoreSlim(0));

    /// <summary>Every call passes here: it may be made to wait, and made to fail.</summary>
    public async Task Meet(string organization)
    {
        Arrival(organization).Release();
        if (Gates.TryGetValue(organization, out var gate)) await gate.Task;
        if (Failures.TryGetValue(organization, out var failure)) throw failure;
    }
}

public sealed class StandInDatabaseGrain(StandIns standIns) : Grain, IOrgDatabaseGrain
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);
    private readonly Dictionary<string, byte[]> _contacts = [];

    private string Organization => this.GetPrimaryKeyString();

    public async ValueTask<JsonBytes> ListContacts(ContactListQuery query, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        standIns.LastQuery[Organization] = query;
        var items = string.Join(',', _contacts.Values.Select(System.Text.Encoding.UTF8.GetString));
        return new(System.Text.Encoding.UTF8.GetBytes($"{{\"items\":[{items}],\"nextCursor\":null}}"));
    }

    public async ValueTask<JsonBytes> GetContact(string contactId, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        return new(_contacts.GetValueOrDefault(contactId));
    }

    public async ValueTask<JsonBytes> CountContacts(CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        return new(JsonSerializer.SerializeToUtf8Bytes(new { count = _contacts.Count }));
    }

    public async ValueTask<ContactWritten> CreateContact(string contactId, ContactFields fields, Durability? durability, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        return Put(contactId, fields, durability);
    }

    public async ValueTask<ContactWritten> ReplaceContact(string contactId, ContactFields fields, Durability? durability, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        return _contacts.ContainsKey(contactId) ? Put(contactId, fields, durability) : throw NotFound();
    }

    public async ValueTask<ContactWritten> DeleteContact(string contactId, bool isRepeated, Durability? durability, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        return _contacts.Remove(contactId) ? new(default, contactId, durability ?? Durability.Local) : throw NotFound();
    }

    public async Task Warm(CancellationToken cancellationToken)
    {
        if (RequestContext.Get(IPlacementDirector.PlacementHintKey) is SiloAddress hint) standIns.Hints[Organization] = hint;
        await standIns.Meet(Organization);
    }

    public async Task OpenAhead(TimeSpan keep, CancellationToken cancellationToken) => await standIns.Meet(Organization);

    public Task Deactivate(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task<RestoreStatus> Restore(DateTimeOffset at, bool dryRun, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        var asked = new RestoreStatus
        {
            Organization = OrganizationId.Parse(Organization),
            State = RestoreState.Completed,
            DryRun = dryRun,
            At = at,
            StartedAt = at.AddHours(1),
            FinishedAt = at.AddHours(1),
            StateAt = at.AddSeconds(-1),
            Epoch = 3,
            Generation = "0123456789abcdef",
            Contacts = 7,
            NewEpoch = dryRun ? null : 5,
        };
        // A test that has put one there lets it run on.
        return standIns.Restores.GetOrAdd(Organization, asked);
    }

    public async Task<RestoreStatus> CopyFrom(OrganizationId source, DateTimeOffset at, string? name, bool dryRun, CancellationToken cancellationToken)
    {
        standIns.Names[Organization] = name ?? "none";
        return await Restore(at, dryRun, cancellationToken) with { Source = source };
    }

    public Task<RestoreStatus?> FindRestore(CancellationToken cancellationToken) => Task.FromResult(standIns.Restores.GetValueOrDefault(Organization));

    public async Task<MigrationStatus> Migrate(MigrationRequest request, CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        standIns.MigrationRequests.GetOrAdd(Organization, _ => []).Enqueue(request);
        return (await FindMigration(cancellationToken))! with { Kind = request.Kind };
    }

    public Task<MigrationStatus?> FindMigration(CancellationToken cancellationToken) => Task.FromResult(
        standIns.Migrations.TryGetValue(Organization, out var statuses) && (statuses.Count > 1 ? statuses.TryDequeue(out var status) : statuses.TryPeek(out status)) ? status : null);

    public async Task<Guid> BeginExport(CancellationToken cancellationToken)
    {
        await standIns.Meet(Organization);
        var key = Guid.NewGuid();
        standIns.Exports[key] = standIns.Files[Organization];
        return key;
    }

    public async Task<ImportStatus?> PrepareImport(string importId, CancellationToken cancellationToken)
    {
        await standIns.Meet($"{Organization}/prepare");
        return standIns.Imports.ContainsKey(importId) ? Status(importId) : null;
    }

    public async Task<ImportStatus> BeginImport(StagedImport import, CancellationToken cancellationToken)
    {
        await standIns.Meet($"{Organization}/begin");
        standIns.Imports[import.Id] = import;
        return Status(import.Id) with { State = ImportState.Queued };
    }

    public async Task<ImportStatus> FindImport(string importId, TimeSpan wait, CancellationToken cancellationToken)
    {
        await standIns.Meet($"{Organization}/find");
        return standIns.Imports.ContainsKey(importId)
            ? Status(importId)
            : throw new OrganizationException(OrganizationErrorCode.ImportNotFound, "There is no import of this id.");
    }

    public ValueTask<JsonBytes> ListAudit(AuditQuery query, CancellationToken cancellationToken) =>
        new(new JsonBytes(JsonSerializer.SerializeToUtf8Bytes(new { items = Array.Empty<int>(), nextCursor = $"{query.Limit}/{query.Cursor}" })));

    private ImportStatus Status(string importId)
    {
        var import = standIns.Imports[importId];
        if (standIns.ImportStatuses.TryGetValue(importId, out var statuses) && (statuses.Count > 1 ? statuses.TryDequeue(out var status) : statuses.TryPeek(out status))) return status!;
        return new ImportStatus { Id = importId, State = ImportState.Completed, Received = import.Bytes, StartedAt = import.ReceivedAt, Imported = 1, Durable = true };
    }

    private ContactWritten Put(string id, ContactFields fields, Durability? durability)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(new { id, fields.Name, fields.Email, fields.Phone, fields.Company, fields.Notes, fields.AgentId }, Web);
        _contacts[id] = json;
        return new(new(json), id, durability ?? Durability.Local);
    }

    private static OrganizationException NotFound() => new(OrganizationErrorCode.ContactNotFound, "There is no contact of this id.");
}

public sealed class StandInExportGrain(StandIns standIns) : Grain, IExportGrain
{
    private byte[] File => standIns.Exports.TryGetValue(this.GetPrimaryKey(), out var file) ? file : throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "Gone.");

    public Task Begin(OrganizationId organization) => Task.CompletedTask;

    public async Task<ExportedFile?> WaitUntilMade(CancellationToken cancellationToken)
    {
        var checksum = standIns.Checksums.GetValueOrDefault(File) ?? Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File));
        await Task.Yield();
        return new ExportedFile(File.Length, checksum, DateTimeOffset.UnixEpoch);
    }

    public async ValueTask<ExportPiece> Read(long offset, CancellationToken cancellationToken)
    {
        if (offset > 0 && standIns.BrokenExports.ContainsKey(File)) throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The silo is gone.");
        await Task.Yield();
        return new ExportPiece(File.AsSpan((int)offset, (int)Math.Min(ExportedFile.PieceBytes, File.Length - offset)).ToArray());
    }

    public Task End()
    {
        standIns.Exports.TryRemove(this.GetPrimaryKey(), out _);
        return Task.CompletedTask;
    }
}

public sealed class StandInCatalogGrain(StandIns standIns) : Grain, ICatalogGrain
{
    public const string Name = "catalog";

    public async Task<OrganizationPage> ListOrganizations(OrganizationDbType? dbType, string? cursor, int limit, CancellationToken cancellationToken)
    {
        await standIns.Meet(Name);
        var rows = standIns.Organizations.Values.Where(row => dbType is null || row.DbType == dbType)
            .Where(row => cursor is null || string.CompareOrdinal(row.Id.Value, cursor) > 0)
            .OrderBy(row => row.Id.Value, StringComparer.Ordinal).Take(limit + 1).ToList();
        return rows.Count > limit ? new([.. rows.Take(limit)], rows[limit - 1].Id.Value) : new(rows, null);
    }

    public async Task<Organization?> GetOrganization(OrganizationId id, CancellationToken cancellationToken)
    {
        await standIns.Meet(Name);
        return standIns.Organizations.GetValueOrDefault(id.Value);
    }

    public async Task<Organization> CreateOrganization(NewOrganization organization, CancellationToken cancellationToken)
    {
        await standIns.Meet(Name);
        var row = new Organization
        {
            Id = organization.Id,
            Name = organization.Name,
            DbType = organization.DbType,
            TursoUrl = organization.TursoUrl,
            GcsBucketName = "bucket",
            GcsReplicaPath = $"orgs/{organization.Id}",
            Durability = organization.Durability ?? Durability.Local,
            CreatedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(1)),
        };
        return standIns.Organizations.TryAdd(row.Id.Value, row)
            ? row
            : throw new OrganizationException(OrganizationErrorCode.OrganizationExists, "There is an organization of this id.");
    }

    public async Task RecordAction(OperatorAction action, CancellationToken cancellationToken)
    {
        await standIns.Meet("audit");
        standIns.Actions[action.Id] = action;
    }

    public Task<OperatorActionPage> ListActions(string? cursor, int limit, CancellationToken cancellationToken) =>
        Task.FromResult(new OperatorActionPage([.. standIns.Actions.Values.OrderByDescending(action => action.Id, StringComparer.Ordinal).Take(limit)], null));

    public async Task<FleetReport> ReportMigrations(string? cursor, int limit, CancellationToken cancellationToken)
    {
        await standIns.Meet(Name);
        var rows = standIns.Migrations.Where(row => cursor is null || string.CompareOrdinal(row.Key, cursor) > 0).OrderBy(row => row.Key, StringComparer.Ordinal)
            .Select(row => row.Value.Last()).Take(limit + 1).ToList();
        return new FleetReport(3, 2, 1, 0, rows.Count(row => row.Problem is not null), [.. rows.Take(limit)], rows.Count > limit ? rows[limit - 1].Organization.Value : null);
    }
}

public sealed class StandInLocksGrain(StandIns standIns) : Grain, ILocksGrain
{
    public Task<LockPage> List(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var rows = standIns.Locks.Values.Where(row => cursor is null || string.CompareOrdinal(row.Organization.Value, cursor) > 0)
            .OrderBy(row => row.Organization.Value, StringComparer.Ordinal).Take(limit + 1).ToList();
        return Task.FromResult(rows.Count > limit ? new LockPage([.. rows.Take(limit)], rows[limit - 1].Organization.Value) : new LockPage(rows, null));
    }

    public Task Release(OrganizationId organization, CancellationToken cancellationToken)
    {
        if (!standIns.Locks.TryGetValue(organization.Value, out var found)) throw new OrganizationException(OrganizationErrorCode.LockNotFound, "There is no lock.");
        if (!found.Expired) throw new OrganizationException(OrganizationErrorCode.LockHeld, $"Its owner is alive; it expires in {found.ExpiresInSeconds} s.");
        standIns.Locks.TryRemove(organization.Value, out _);
        return Task.CompletedTask;
    }
}

public sealed class StandInActiveDatabasesGrain(StandIns standIns) : Grain, IActiveDatabasesGrain
{
    public const string Name = "active-databases";

    public async Task<IReadOnlyList<string>> DeadSilos(CancellationToken cancellationToken)
    {
        IReadOnlyList<string> dead = [.. standIns.DeadSilos.Keys]; // as it was when the call is known to have come
        await standIns.Meet(Name);
        return dead;
    }

    public Task<IReadOnlyList<DatabaseStatus>> List(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<DatabaseStatus>>([.. standIns.Active.Values]);

    public async Task<DatabaseStatus?> Find(OrganizationId organization, CancellationToken cancellationToken)
    {
        await standIns.Meet($"{organization}/where");
        return standIns.Active.GetValueOrDefault(organization.Value);
    }

    public Task<bool> Deactivate(OrganizationId organization, CancellationToken cancellationToken) =>
        Task.FromResult(standIns.Active.TryRemove(organization.Value, out _));
}
