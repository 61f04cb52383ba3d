using System.Runtime.InteropServices;

namespace Silo.Storage.Sqlite;

/// <summary>
/// Where SQLite puts what it sorts: beside the databases. It would otherwise look for a place in <c>/var/tmp</c> and <c>/tmp</c>, which
/// containers with a read-only root do not have, and which may have less room than the data folder.
/// </summary>
public static partial class SqliteTemporaryFiles
{
    private const string Variable = "SQLITE_TMPDIR"; // read by SQLite for each file (sqlite3_temp_directory, "Temporary Files")

    /// <summary>Puts them into a folder. What the environment says wins, and the first folder of a process stays.</summary>
    public static void PutInto(string folder)
    {
        // .NET keeps an environment of its own, so that of the C library has to be set.
        if (SetEnvironment(Variable, folder, overwrite: 0) != 0) throw new IOException($"The environment variable {Variable} cannot be set.");
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
