namespace Silo.SystemTests.Faults;

/// <summary>What an owner's disk still has of an organization: files in use, left by a crash, or set aside.</summary>
internal static class LocalFiles
{
    /// <summary>The names of the contacts in each of them.</summary>
    /// <param name="owner">Whose disk.</param>
    /// <param name="organization">Whose rows.</param>
    /// <param name="folder">A folder for copies: the files themselves are not to be touched.</param>
    public static IReadOnlyList<IReadOnlySet<string>> Read(Owner owner, string organization, string folder)
    {
        if (!Directory.Exists(owner.Databases)) return [];
        var found = new List<IReadOnlySet<string>>();
        foreach (var file in Directory.EnumerateFiles(owner.Databases, $"org-{organization}.db", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, $"{Guid.NewGuid():n}.db");
            try
            {
                File.Copy(file, copy);
                if (File.Exists(file + "-wal")) File.Copy(file + "-wal", copy + "-wal");
                found.Add(Bucket.Read(copy).Select(contact => contact.Name).ToHashSet());
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                // The owner has just put it away; what it held is in the bucket, or the verdict will say so.
            }
            finally
            {
                foreach (var part in Directory.EnumerateFiles(folder, Path.GetFileName(copy) + "*")) File.Delete(part);
            }
        }
        return found;
    }
}
