using System.Globalization;
using Silo.Storage.Litestream;

namespace Silo.SystemTests.Machines;

/// <summary>
/// A small disk of one program's own, that can be filled and freed from outside: a tmpfs in a mount namespace, and in a user
/// namespace, so that it takes no root. It is gone with the last process that was started on it.
/// </summary>
/// <param name="mountPoint">An empty folder; outside the program it stays empty.</param>
/// <param name="mebibytes">Its size.</param>
internal sealed class SmallDisk(string mountPoint, int mebibytes)
{
    private ChildProcess? _program;

    /// <summary>What stands in front of the program. Each command becomes the next, with the same process id.</summary>
    public IEnumerable<string> Front =>
    [
        "unshare", "--map-root-user", "--mount", "sh", "-c",
        string.Create(CultureInfo.InvariantCulture, $"mount -t tmpfs -o size={mebibytes}m,mode=0700 tmpfs \"$0\" && exec \"$@\""), mountPoint,
    ];

    /// <summary>Bytes that can still be written.</summary>
    public long Free => new DriveInfo(Path).AvailableFreeSpace;

    private string Path => this[""];

    private string Ballast => this["ballast"];

    /// <summary>A path on the disk, as this process reaches it.</summary>
    public string this[string name] => $"/proc/{_program!.Value.Pid}/root{System.IO.Path.Combine(mountPoint, name)}";

    /// <summary>The program runs.</summary>
    public void Attach(HostProcess program)
    {
        Directory.CreateDirectory(mountPoint);
        _program = program.Identity;
    }

    /// <summary>Leaves no more than this many bytes free, or all of them that are.</summary>
    public void Fill(long leaveBytes = 0)
    {
        using var ballast = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (Free > leaveBytes) ballast.Write(block);
        }
        catch (IOException) when (Free == 0)
        {
            // Somebody else took the last block.
        }
    }

    /// <summary>Gives all of the space back.</summary>
    public void Empty() => File.Delete(Ballast);
}
