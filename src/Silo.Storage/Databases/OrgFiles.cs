using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.Contracts;
using Silo.Storage.Litestream;

namespace Silo.Storage.Databases;

/// <summary>
/// The local files of one activation: <c>{data}/{id}/{epoch}/org-{id}.db</c> with its WAL, Litestream's folder and the id of its
/// Litestream. The folder belongs to one epoch, so that no two activations ever share a file.
/// </summary>
/// <param name="DataDirectory">The silo's data folder.</param>
/// <param name="Organization">Whose files.</param>
/// <param name="Epoch">The epoch of the owner.</param>
public sealed record OrgFiles(string DataDirectory, OrganizationId Organization, long Epoch)
{
    /// <summary>The folder of files that could not be used and are kept for an operator.</summary>
    public const string SetAsideFolder = "set-aside";

    /// <summary>
    /// The folder of what no activation may take for a database: folders on their way to being deleted, and states of the past
    /// that are being looked at. Its name is no organization's, and it is emptied at every start.
    /// </summary>
    private const string TemporaryFolder = "_temporary";

    /// <summary>The folder of this epoch.</summary>
    public string Folder => Path.Combine(DataDirectory, Organization.Value, Epoch.ToString("D12", CultureInfo.InvariantCulture));

    /// <summary>The database. It appears under this name only when it was restored to its end.</summary>
    public string Database => Path.Combine(Folder, $"org-{Organization}.db");

    /// <summary>Where a restore goes until it has ended.</summary>
    public string Restoring => Path.Combine(Folder, "restoring.db");

    private string Child => Path.Combine(Folder, "litestream.json");

    private string Chosen => Path.Combine(Folder, "chosen");

    private string LitestreamState => Path.Combine(Folder, $".org-{Organization}.db-litestream");

    /// <summary>The epochs of an organization that have files on this machine, newest first.</summary>
    public static IReadOnlyList<OrgFiles> Find(string dataDirectory, OrganizationId organization)
    {
        var folder = new DirectoryInfo(Path.Combine(dataDirectory, organization.Value));
        if (!folder.Exists) return [];
        return [.. folder.EnumerateDirectories()
            .Where(epoch => long.TryParse(epoch.Name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            .Select(epoch => new OrgFiles(dataDirectory, organization, long.Parse(epoch.Name, CultureInfo.InvariantCulture)))
            .OrderByDescending(files => files.Epoch)];
    }

    /// <summary>The organizations that have files on this machine.</summary>
    public static IEnumerable<OrganizationId> FindOrganizations(string dataDirectory)
    {
        foreach (var folder in new DirectoryInfo(dataDirectory).EnumerateDirectories())
        {
            // An organization may have the name of the folder of what is set aside; there, no folder has the name of an epoch.
            if (OrganizationId.TryParse(folder.Name, out var id) && (id.Value != SetAsideFolder || Find(dataDirectory, id).Count > 0)) yield return id;
        }
    }

    /// <summary>How many databases are kept for an operator.</summary>
    public static int CountSetAside(string dataDirectory)
    {
        var folder = new DirectoryInfo(Path.Combine(dataDirectory, SetAsideFolder));
        // An organization of this name has its epochs there too.
        return folder.Exists ? folder.EnumerateDirectories().Count(kept => !long.TryParse(kept.Name, NumberStyles.None, CultureInfo.InvariantCulture, out _)) : 0;
    }

    /// <summary>Files that belong to no epoch yet and that no activation finds.</summary>
    public static OrgFiles Temporary(string dataDirectory, OrganizationId organization) => new(NewTemporary(dataDirectory), organization, 0);

    /// <summary>Deletes what a former silo did not come to delete. The folder stays: on a full disk it could not be made, and nothing be deleted.</summary>
    public static void EmptyTemporary(string dataDirectory)
    {
        var folder = Path.Combine(dataDirectory, TemporaryFolder);
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>
    /// Whether an operator chose these rows over the truth. Until the head names their epoch, they are worth nothing: a crash before
    /// that leaves the truth what it was.
    /// </summary>
    public bool AreChosen => File.Exists(Chosen);

    /// <summary>Litestream's copy of one WAL.</summary>
    public string ShadowWal(ReplicaPosition position) => Path.Combine(
        LitestreamState, "generations", position.Generation, "wal", string.Create(CultureInfo.InvariantCulture, $"{position.Index:x8}.wal"));

    /// <summary>Bytes of the database and its WAL: the most that one upload can have.</summary>
    public long Bytes => new FileInfo(Database) is { Exists: true } file ? file.Length + WalBytes : 0;

    /// <summary>Bytes of the WAL.</summary>
    public long WalBytes => new FileInfo(Database + "-wal") is { Exists: true } wal ? wal.Length : 0;

    /// <summary>Makes the folder, readable by this user only.</summary>
    public void CreateFolder() =>
        Directory.CreateDirectory(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    /// <summary>Says that an operator chose these rows over the truth.</summary>
    public void MarkChosen() => File.WriteAllBytes(Chosen, []);

    /// <summary>The head names these rows' epoch: they are the truth.</summary>
    public void UnmarkChosen() => File.Delete(Chosen);

    /// <summary>Takes the files of an earlier epoch over, in one step.</summary>
    public void TakeOver(OrgFiles earlier)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Folder)!);
        Directory.Move(earlier.Folder, Folder);
        // Another epoch replicates to another prefix; what Litestream knew of the old one would mislead it.
        DeleteLitestreamState();
    }

    /// <summary>Makes Litestream begin a new generation at its next start.</summary>
    public void DeleteLitestreamState()
    {
        if (Directory.Exists(LitestreamState)) Directory.Delete(LitestreamState, recursive: true);
    }

    /// <summary>Keeps the files where no activation looks.</summary>
    /// <returns>Where they are now.</returns>
    public string SetAside(DateTimeOffset now)
    {
        var kept = Path.Combine(DataDirectory, SetAsideFolder, string.Create(CultureInfo.InvariantCulture, $"{Organization}-{Epoch:D12}-{now:yyyyMMdd'T'HHmmssfff}"));
        Directory.CreateDirectory(Path.GetDirectoryName(kept)!);
        Directory.Move(Folder, kept);
        return kept;
    }

    /// <summary>
    /// Deletes the files of this epoch, and the organization's folder when it is empty then. In one step as far as any activation
    /// can see: a database without its WAL, left by a crash in the middle, would be taken for one to go on from.
    /// </summary>
    public void Delete()
    {
        if (Directory.Exists(Folder))
        {
            var leaving = NewTemporary(DataDirectory);
            Directory.CreateDirectory(Path.GetDirectoryName(leaving)!);
            Directory.Move(Folder, leaving);
            Directory.Delete(leaving, recursive: true);
        }
        try
        {
            Directory.Delete(Path.GetDirectoryName(Folder)!);
        }
        catch (IOException)
        {
            // Another epoch has files there, or the folder is gone: both are fine.
        }
    }

    /// <summary>Writes down which process replicates these files, so that it can be ended after a crash of ours.</summary>
    public void WriteChild(ChildProcess? child)
    {
        if (child is { } running) File.WriteAllBytes(Child, JsonSerializer.SerializeToUtf8Bytes(running, OrgFilesJson.Default.ChildProcess));
    }

    /// <summary>Whether a process was written down, whether or not it still runs.</summary>
    public bool HasChild => File.Exists(Child);

    /// <summary>The process that was written down, if it still runs.</summary>
    public ChildProcess? ReadChild()
    {
        try
        {
            var child = JsonSerializer.Deserialize(File.ReadAllBytes(Child), OrgFilesJson.Default.ChildProcess);
            return child.IsAlive ? child : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    internal static string NewTemporary(string dataDirectory) => Path.Combine(dataDirectory, TemporaryFolder, Guid.NewGuid().ToString("n"));
}

[JsonSerializable(typeof(ChildProcess))]
internal sealed partial class OrgFilesJson : JsonSerializerContext;
