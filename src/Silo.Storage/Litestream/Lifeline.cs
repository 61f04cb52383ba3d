using System.Globalization;
using System.IO.Pipes;

namespace Silo.Storage.Litestream;

/// <summary>
/// A pipe that nobody writes to and that only this process can write to. Who reads from it learns of this process's end, however
/// it ends, at once and without looking at the clock: the <c>tail --pid</c> that it replaces woke four times a second in every
/// one of hundreds of Litestreams, a fifth of a core with 300 of them.
/// </summary>
internal static class Lifeline
{
    // Held as long as the process lives. Children do not inherit it, or they would hold it for us.
    private static readonly AnonymousPipeServerStream Pipe = new(PipeDirection.Out, HandleInheritability.None);

    /// <summary>Opens for reading, by this user's processes (proc(5), "/proc/pid/fd").</summary>
    public static string Path { get; } = string.Create(
        CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{Pipe.ClientSafePipeHandle.DangerousGetHandle()}");
}
