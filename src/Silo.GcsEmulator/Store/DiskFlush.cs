using Microsoft.Win32.SafeHandles;

namespace Silo.GcsEmulator.Store;

/// <summary>
/// Waits for the disk, or does not, as the options say, and counts how often. Only files are flushed: on ext4, XFS and Btrfs the name
/// that a file was given before reaches the disk with it.
/// </summary>
internal sealed class DiskFlush(bool waits)
{
    private volatile bool _failed;
    private long _count;

    /// <summary>Whether what is acknowledged must be on the disk.</summary>
    public bool Waits => waits;

    /// <summary>How often the disk was waited for.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Returns when the disk has the file, whether or not others are waited for.</summary>
    public void Force(SafeFileHandle file)
    {
        // The kernel forgets what it could not write: a second attempt would succeed and prove nothing.
        if (_failed) throw new IOException("The disk did not take what was written before. Nothing more is acknowledged until the emulator is restarted.");
        try
        {
            RandomAccess.FlushToDisk(file);
        }
        catch
        {
            _failed = true;
            throw;
        }
        Interlocked.Increment(ref _count);
    }
}
