using System.Security.Cryptography;
using Silo.Storage.Databases;

namespace Silo.Standalone;

/// <summary>
/// What the standalone host keeps: <c>bucket/</c> (the emulator's objects), <c>databases/</c> (files in use), <c>catalog.db</c> and
/// <c>signing-key</c>. Only this user may look into it.
/// </summary>
internal sealed class StandaloneFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private StandaloneFolder(string path) => Path = path;

    public string Path { get; }

    public string Bucket => System.IO.Path.Combine(Path, "bucket");

    public string Databases => System.IO.Path.Combine(Path, "databases");

    public string Catalog => System.IO.Path.Combine(Path, "catalog.db");

    private string SigningKeyFile => System.IO.Path.Combine(Path, "signing-key");

    /// <summary>Opens the folder, and makes it with mode 0700 if there is none.</summary>
    /// <exception cref="DataDirectoryException">It cannot be made.</exception>
    public static StandaloneFolder Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(full, OwnerOnly | UnixFileMode.UserExecute);
            return new StandaloneFolder(full);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataDirectoryException($"The data folder '{full}' cannot be made ({e.Message}). Choose another one with --data.", e);
        }
    }

    /// <summary>The key that signs development tokens, made at the first start.</summary>
    public string SigningKey()
    {
        if (File.Exists(SigningKeyFile)) return File.ReadAllText(SigningKeyFile).Trim();
        var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        // In one piece: a start that is killed here must not leave half a key behind.
        var unfinished = $"{SigningKeyFile}.{Environment.ProcessId}";
        using (var file = new StreamWriter(unfinished, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
            file.WriteLine(key);
        File.Move(unfinished, SigningKeyFile);
        return key;
    }
}
