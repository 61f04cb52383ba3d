using System.Runtime.InteropServices;

namespace Silo.Storage;

/// <summary>
/// Lets every file that this process and its children make be its user's alone (0600, folders 0700): SQLite and Litestream would make
/// theirs readable by all.
/// </summary>
public static partial class OwnerOnlyFiles
{
    private const uint GroupAndOthers = 0x3F; // octal 077

    /// <summary>From now on.</summary>
    public static void Begin() => _ = SetMask(GroupAndOthers); // it always succeeds (umask(2))

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);
}
