using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Silo.Storage.Turso;

/// <summary>
/// The answer to a cursor, read line by line: no more of it is in memory than a row and a buffer, and the server waits when nobody reads.
/// An answer that ends without saying so was cut off, though some proxies end it like a whole one.
/// </summary>
internal sealed class HranaCursor : IAsyncDisposable
{
    // A row of megabytes comes in pieces of this size at most.
    private static readonly StreamPipeReaderOptions Pieces = new(bufferSize: 64 * 1024);

    private readonly HranaTarget _target;
    private readonly string _action;
    private readonly int _maxRowBytes;
    private readonly HttpResponseMessage _response;
    private readonly HranaTry _attempt;
    private readonly PipeReader _lines;
    private long _searched; // bytes of the line that comes which have no end of it

    private HranaCursor(HranaTarget target, string action, int maxRowBytes, HttpResponseMessage response, HranaTry attempt, PipeReader lines) =>
        (_target, _action, _maxRowBytes, _response, _attempt, _lines) = (target, action, maxRowBytes, response, attempt, lines);

    /// <summary>What the next request on the stream must show.</summary>
    public string? Baton { get; private set; }

    /// <summary>Where the stream goes on.</summary>
    public string? BaseUrl { get; private set; }

    /// <summary>The columns of its rows.</summary>
    public IReadOnlyList<TursoColumn> Columns { get; private set; } = [];

    /// <summary>Reads as far as the columns, so that a statement that is refused fails here.</summary>
    public static async Task<HranaCursor> BeginAsync(HranaTarget target, string action, int maxRowBytes, HttpResponseMessage response, HranaTry attempt)
    {
        var lines = PipeReader.Create(await response.Content.ReadAsStreamAsync(attempt.Token), Pieces);
        var cursor = new HranaCursor(target, action, maxRowBytes, response, attempt, lines);
        var isWhole = false;
        try
        {
            (cursor.Baton, cursor.BaseUrl) = await cursor.NextAsync(line => HranaReader.CursorBegin(line));
            while (await cursor.NextAsync(line => HranaReader.Entry(line)) is var entry)
            {
                cursor.ThrowIfError(entry);
                if (entry.Kind is HranaEntryKind.Row or HranaEntryKind.StepEnd) throw new FormatException("a row comes before the columns");
                if (entry.Kind != HranaEntryKind.StepBegin) continue;
                cursor.Columns = entry.Columns!;
                break;
            }
            attempt.Pause();
            isWhole = true;
            return cursor;
        }
        finally
        {
            if (!isWhole) await lines.CompleteAsync();
        }
    }

    /// <summary>The rows, once.</summary>
    /// <exception cref="TursoException">The rows so far are not all.</exception>
    public async IAsyncEnumerable<TursoValue[]> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var abort = cancellationToken.UnsafeRegister(attempt => ((HranaTry)attempt!).Abort(), _attempt);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            HranaEntry entry;
            try
            {
                _attempt.Extend();
                entry = await NextAsync(line => HranaReader.Entry(line));
                _attempt.Pause();
                if (entry.Kind == HranaEntryKind.Row && entry.Row!.Length != Columns.Count) throw new FormatException("a row has not as many values as there are columns");
            }
            catch (Exception failure) when (_attempt.Explain(failure, cancellationToken) is { } explained)
            {
                throw explained;
            }
            ThrowIfError(entry);
            if (entry.Kind == HranaEntryKind.StepEnd) yield break;
            if (entry.Kind == HranaEntryKind.Row) yield return entry.Row!;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The rest is not read: the connection is closed under the server.
        _response.Dispose();
        await _lines.CompleteAsync();
        _attempt.Dispose();
    }

    private void ThrowIfError(HranaEntry entry)
    {
        if (entry.Kind is HranaEntryKind.StepError or HranaEntryKind.Error) throw _target.Refused(_action, entry.Error!);
    }

    private async ValueTask<T> NextAsync<T>(Func<ReadOnlySequence<byte>, T> parse)
    {
        while (true)
        {
            if (!_lines.TryRead(out var read)) read = await _lines.ReadAsync(_attempt.Token);
            var buffer = read.Buffer;
            if (buffer.Slice(_searched).PositionOf((byte)'\n') is { } end)
            {
                _searched = 0;
                var line = buffer.Slice(0, end);
                EnsureFits(line.Length);
                var parsed = parse(line);
                _lines.AdvanceTo(buffer.GetPosition(1, end));
                return parsed;
            }
            _searched = buffer.Length;
            EnsureFits(_searched);
            if (read.IsCompleted) throw new IOException("the answer ends in its middle");
            _lines.AdvanceTo(buffer.Start, buffer.End);
            _attempt.Extend();
        }
    }

    private void EnsureFits(long bytes)
    {
        if (bytes > _maxRowBytes) throw _target.Failure(TursoFailure.TooLarge, _action, $"a row is larger than {_maxRowBytes} bytes (Turso:MaxRowBytes)");
    }
}
