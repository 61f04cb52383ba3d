using System.Net.Sockets;

namespace Silo.Benchmarks.Load;

/// <summary>
/// Keeps a number of connections busy, each with one request at a time, from one thread that waits for all of them by poll(2):
/// the load shares the machine with the server, so it should cost little and the same for whatever is measured.
/// </summary>
internal sealed class ClosedLoop(Uri server, int connections)
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    /// <summary>Runs until the time is over or the requests are.</summary>
    public Task<LoadResult> RunAsync(IRequestSource requests, TimeSpan duration, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(() => Run(requests, duration, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private LoadResult Run(IRequestSource requests, TimeSpan duration, CancellationToken cancellationToken)
    {
        var result = new LoadResult();
        var open = new LoadConnection[connections];
        try
        {
            for (var i = 0; i < connections; i++) open[i] = new LoadConnection(server);
            var begun = TimeProvider.System.GetTimestamp();
            var end = duration == Timeout.InfiniteTimeSpan ? long.MaxValue : begun + (long)(duration.TotalSeconds * TimeProvider.System.TimestampFrequency);
            var busy = new bool[connections];
            var count = 0;
            for (var i = 0; i < connections; i++) SendNext(i);
            while (count > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                foreach (var i in Ready(open, busy, count))
                {
                    if (!open[i].Receive()) continue;
                    busy[i] = false;
                    count--;
                    result.Add(open[i]);
                    SendNext(i);
                }
            }
            result.Elapsed = TimeProvider.System.GetElapsedTime(begun);
            return result;

            void SendNext(int i)
            {
                if (TimeProvider.System.GetTimestamp() >= end || result.Errors > 100) return;
                var request = requests.Next(i);
                if (request.IsEmpty) return;
                open[i].Send(request.Span);
                busy[i] = true;
                count++;
            }
        }
        finally
        {
            foreach (var connection in open) connection?.Dispose();
        }
    }

    private static List<int> Ready(LoadConnection[] open, bool[] busy, int count)
    {
        var waiting = new List<Socket>(count);
        var ready = new List<int>(count);
        for (var i = 0; i < open.Length; i++)
        {
            if (busy[i]) waiting.Add(open[i].Socket);
        }
        // A single one waits in its receive just as well.
        if (count > 1) Socket.Select(waiting, null, null, Silence);
        if (waiting.Count == 0) throw new TimeoutException($"No answer within {Silence.TotalSeconds} s.");
        // Select leaves the sockets that are ready, in their order.
        for (var i = 0; i < open.Length && ready.Count < waiting.Count; i++)
        {
            if (ReferenceEquals(open[i].Socket, waiting[ready.Count])) ready.Add(i);
        }
        return ready;
    }
}

/// <summary>Where the requests of a load come from. Called by one thread.</summary>
internal interface IRequestSource
{
    /// <summary>The next request of a connection, good until the next call; empty when it has no more to do.</summary>
    ReadOnlyMemory<byte> Next(int connection);
}
