namespace Silo.Storage.Turso;

/// <summary>
/// A transaction that goes on over several requests. One request at a time, by one caller. <b>A failure ends it</b>: nothing of it is kept,
/// and every later statement is refused, since on the server it would run outside of any transaction and be committed at once.
/// <see cref="TursoFailure.StreamLost"/> says that the server gave it up; begin again. Disposing of it without a commit rolls it back.
/// </summary>
public sealed class TursoTransaction : IAsyncDisposable
{
    /// <summary>How long the end of a stream is waited for that nobody needs any more.</summary>
    internal static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(1);

    private readonly HranaStream _stream;
    private readonly HranaTarget _target;
    private bool _isEnded;

    internal TursoTransaction(HranaStream stream, HranaTarget target) => (_stream, _target) = (stream, target);

    /// <summary>Executes a statement.</summary>
    public async Task<TursoResult> ExecuteAsync(TursoStatement statement, CancellationToken cancellationToken)
    {
        const string Action = "execute a statement of a transaction";
        var result = await SendAsync(Action, new HranaRequest.Execute(statement), cancellationToken);
        return result.Result ?? throw _target.Failure(TursoFailure.Malformed, Action, "there is no result");
    }

    /// <summary>Executes statements in one request.</summary>
    /// <returns>What each gave.</returns>
    public async Task<IReadOnlyList<TursoResult>> ExecuteAllAsync(IReadOnlyList<TursoStatement> statements, CancellationToken cancellationToken)
    {
        const string Action = "execute statements of a transaction";
        TursoBatchStep[] steps = [.. statements.Select((statement, i) => new TursoBatchStep(statement, i == 0 ? null : TursoCondition.Ok(i - 1)))];
        var result = await SendAsync(Action, new HranaRequest.Batch(steps), cancellationToken);
        if (result.Steps is { } done && done.FirstOrDefault(step => step.Error is not null) is { Error: { } error }) throw await EndAsync(_target.Refused(Action, error));
        return result.Steps?.Count == steps.Length && result.Steps.All(step => step.Result is not null)
            ? [.. result.Steps.Select(step => step.Result!)]
            : throw await EndAsync(_target.Failure(TursoFailure.Malformed, Action, "there is not a result for each statement"));
    }

    /// <summary>
    /// Reads the rows of a statement as they come. The transaction waits until the cursor is disposed of; one that was not read to its end
    /// ends the transaction too.
    /// </summary>
    public async Task<TursoCursor> OpenCursorAsync(TursoStatement statement, CancellationToken cancellationToken)
    {
        EnsureOpen();
        try
        {
            var cursor = await _stream.OpenCursorAsync("read rows in a transaction", statement, cancellationToken);
            return cursor.AndThen(async read =>
            {
                // Where it failed, the transaction may be gone on the server.
                if (!read.IsAtEnd) await RollbackAsync();
            });
        }
        catch (TursoException failure)
        {
            throw await EndAsync(failure);
        }
        catch (OperationCanceledException)
        {
            _isEnded = true;
            throw;
        }
    }

    /// <summary>
    /// Commits. When it fails with <see cref="TursoException.MayHaveExecuted"/>, only a look at the rows tells whether it did; otherwise
    /// nothing was kept.
    /// </summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        EnsureOpen();
        _isEnded = true;
        var results = await _stream.SendAsync("commit a transaction", changesNothing: false, cancellationToken, new HranaRequest.Execute(new TursoStatement("COMMIT")), new HranaRequest.Close());
        if (results[0].Error is { } error) throw _target.Refused("commit a transaction", error);
    }

    /// <summary>Rolls back: nothing of it is kept.</summary>
    public ValueTask RollbackAsync()
    {
        _isEnded = true;
        return _stream.CloseAsync(CloseLimit);
    }

    /// <summary>Rolls back what was not committed.</summary>
    public ValueTask DisposeAsync() => RollbackAsync();

    private async Task<HranaResult> SendAsync(string action, HranaRequest request, CancellationToken cancellationToken)
    {
        EnsureOpen();
        HranaResult result;
        try
        {
            result = (await _stream.SendAsync(action, changesNothing: false, cancellationToken, request))[0];
        }
        catch (Exception e) when (e is TursoException or OperationCanceledException)
        {
            _isEnded = true;
            throw;
        }
        return result.Error is { } error ? throw await EndAsync(_target.Refused(action, error)) : result;
    }

    private async Task<TursoException> EndAsync(TursoException failure)
    {
        await RollbackAsync();
        return failure;
    }

    private void EnsureOpen()
    {
        if (_isEnded) throw new InvalidOperationException("The transaction has ended.");
    }
}
