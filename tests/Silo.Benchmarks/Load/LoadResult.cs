namespace Silo.Benchmarks.Load;

/// <summary>What a load has measured: every request, none left out.</summary>
internal sealed class LoadResult
{
    private readonly List<double> _milliseconds = new(100_000);

    /// <summary>Requests that were answered.</summary>
    public int Requests => _milliseconds.Count;

    /// <summary>Answers other than 2xx.</summary>
    public int Errors { get; private set; }

    /// <summary>The first such answer.</summary>
    public string? FirstError { get; private set; }

    /// <summary>From the first request to the last answer.</summary>
    public TimeSpan Elapsed { get; set; }

    /// <summary>Requests per second.</summary>
    public double Rate => Requests / Elapsed.TotalSeconds;

    /// <summary>How long the answers took, in milliseconds.</summary>
    public Latencies Latencies => new(_milliseconds);

    /// <summary>Takes note of an answer that is whole.</summary>
    public void Add(LoadConnection connection)
    {
        _milliseconds.Add(TimeProvider.System.GetElapsedTime(connection.SentAt).TotalMilliseconds);
        if (connection.Answer.IsSuccess) return;
        Errors++;
        FirstError ??= connection.Answer.ToString();
    }

    /// <exception cref="BenchmarkException">Not every answer was a 2xx: then the numbers mean nothing.</exception>
    public LoadResult Checked(string what) =>
        Errors == 0 ? this : throw new BenchmarkException($"{what}: {Errors} of {Requests} answers were errors, the first one:\n{FirstError}");
}

/// <summary>A measurement that means nothing, with the reason.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
