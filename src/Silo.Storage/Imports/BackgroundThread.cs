using System.Runtime.InteropServices;

namespace Silo.Storage.Imports;

/// <summary>
/// Runs seconds of work on a thread of its own that stands back where others want the CPU: an import or an export must not be felt by
/// those who read meanwhile. .NET's thread priorities do nothing on Linux; there a thread has a niceness (sched(7)).
/// </summary>
internal static partial class BackgroundThread
{
    private const int OfProcess = 0; // PRIO_PROCESS; on Linux one thread, and 0 is the calling one
    private const int Niceness = 10;

    public static Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            // Refused, it is only not as polite as it could be.
            _ = SetPriority(OfProcess, 0, Niceness);
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                // The boundary of the thread: who waits for the task gets it.
                done.SetException(e);
            }
        })
        { IsBackground = true, Name = "silo background" };
        thread.Start();
        return done.Task;
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);
}
