using System.Collections.Concurrent;
using Silo.Contracts;
using Silo.Storage.Databases;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Contacts;

/// <summary>
/// Lends readers of one database to callers that run side by side. There are never more than <c>size</c>; who finds none
/// waits, and who would wait behind too many is refused. Connections are opened when they are first needed.
/// </summary>
internal sealed class ContactReaderPool(string path, int size, int maxWaiting, DatabaseMetrics metrics) : IDisposable
{
    private readonly ConcurrentStack<ContactReader> _idle = new();
    private readonly SemaphoreSlim _free = new(size, size);
    private int _waiting;
    private volatile TaskCompletionSource? _pause;
    private volatile bool _disposed;

    /// <summary>Runs a read on a thread of the pool: SQLite blocks, and an Orleans scheduler thread must not.</summary>
    /// <exception cref="OrganizationException"><see cref="OrganizationErrorCode.TooManyRequests"/>.</exception>
    public async ValueTask<T> ReadAsync<TState, T>(DatabaseOperation operation, TState state, Func<ContactReader, TState, T> read, CancellationToken cancellationToken)
    {
        if (!_free.Wait(0, CancellationToken.None)) await WaitAsync(cancellationToken);
        if (_pause is { } pause) await WaitOutAsync(pause.Task, cancellationToken);
        return await Task.Factory.StartNew(() => Run(operation, state, read), CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
    }

    /// <summary>Lends no reader from now on; what is read now ends as it would. One caller, which must not forget <see cref="Resume"/>.</summary>
    public void Pause() => _pause ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Goes on.</summary>
    public void Resume()
    {
        var pause = _pause;
        _pause = null;
        pause?.TrySetResult();
    }

    /// <summary>Closes the idle connections; those in use are closed when they come back.</summary>
    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryPop(out var reader)) reader.Dispose();
    }

    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waiting) > maxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            throw new OrganizationException(OrganizationErrorCode.TooManyRequests, "Too many reads of this organization wait already.") { RetryAfter = TimeSpan.FromSeconds(1) };
        }
        try
        {
            var since = metrics.Begin();
            await _free.WaitAsync(cancellationToken);
            metrics.Lent(since);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private async Task WaitOutAsync(Task pause, CancellationToken cancellationToken)
    {
        try
        {
            await pause.WaitAsync(cancellationToken);
        }
        catch
        {
            _free.Release();
            throw;
        }
    }

    private T Run<TState, T>(DatabaseOperation operation, TState state, Func<ContactReader, TState, T> read)
    {
        ContactReader? reader = null;
        try
        {
            if (_disposed) throw new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "The database is being put away.") { RetryAfter = TimeSpan.FromSeconds(1) };
            if (!_idle.TryPop(out reader)) reader = new ContactReader(path);
            using var span = SiloActivities.StartOperation(operation.Name);
            var since = metrics.Begin();
            var result = read(reader, state);
            metrics.Ran(operation, since);
            _idle.Push(reader);
            reader = null;
            // Disposed between the push and now: nobody else would close it.
            if (_disposed) Dispose();
            return result;
        }
        finally
        {
            // A reader whose call failed may have an open statement; it is not lent again.
            reader?.Dispose();
            _free.Release();
        }
    }
}
