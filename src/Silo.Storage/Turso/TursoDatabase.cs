using Silo.Contracts;

namespace Silo.Storage.Turso;

/// <summary>How a transaction begins.</summary>
public enum TursoTransactionMode
{
    /// <summary>For reading: the first read fixes the state that all see. Others may write meanwhile.</summary>
    Read,

    /// <summary>For writing: it waits for the one writer that a database allows. Others take it away after 5 s.</summary>
    Write,
}

/// <summary>
/// One organization's database on a libSQL server. It holds no connection and nothing to dispose of, and is safe for use by many at once.
/// Every method throws <see cref="TursoException"/>; when the caller gives up, a write may have been executed.
/// </summary>
public sealed class TursoDatabase
{
    private readonly HranaConnection _connection;
    private readonly HranaTarget _target;
    private readonly TursoOptions _options;

    internal TursoDatabase(HranaConnection connection, HranaTarget target, TursoOptions options) => (_connection, _target, _options) = (connection, target, options);

    /// <summary>Whose database it is.</summary>
    public OrganizationId Organization => _target.Organization;

    /// <summary>Where it is.</summary>
    public TursoAddress Address => _target.Address;

    /// <summary>Executes a statement that <b>changes nothing</b>: it may be sent again when it was not answered.</summary>
    public Task<TursoResult> QueryAsync(TursoStatement statement, CancellationToken cancellationToken) =>
        OneAsync("read", changesNothing: true, statement, cancellationToken);

    /// <summary>Executes a statement in a transaction of its own. It is sent again only when it certainly was not executed.</summary>
    public Task<TursoResult> ExecuteAsync(TursoStatement statement, CancellationToken cancellationToken) =>
        OneAsync("execute a statement", changesNothing: false, statement, cancellationToken);

    /// <summary>
    /// Executes steps in one request. Each is a transaction of its own unless the steps say otherwise, and one that fails ends nothing:
    /// what follows depends on its conditions alone.
    /// </summary>
    /// <returns>What became of each step.</returns>
    /// <exception cref="ArgumentException">A condition is about a step that does not come before it.</exception>
    public async Task<IReadOnlyList<TursoStepResult>> BatchAsync(IReadOnlyList<TursoBatchStep> steps, CancellationToken cancellationToken)
    {
        const string Action = "execute a batch";
        var result = (await Stream().SendAsync(Action, changesNothing: false, cancellationToken, new HranaRequest.Batch(steps), new HranaRequest.Close()))[0];
        if (result.Error is { } error) throw _target.Refused(Action, error);
        if (result.Steps?.Count != steps.Count) throw _target.Failure(TursoFailure.Malformed, Action, "there is not a result for each step");
        return [.. result.Steps.Select(step => new TursoStepResult(step.Result, step.Error is { } refused ? _target.Refused(Action, refused) : null))];
    }

    /// <summary>Executes statements in one transaction and one request: all of them, or none.</summary>
    /// <returns>What each gave.</returns>
    public async Task<IReadOnlyList<TursoResult>> ExecuteAllAsync(IReadOnlyList<TursoStatement> statements, CancellationToken cancellationToken)
    {
        TursoBatchStep[] steps =
        [
            new(new TursoStatement("BEGIN IMMEDIATE")),
            .. statements.Select((statement, i) => new TursoBatchStep(statement, TursoCondition.Ok(i))),
            new(new TursoStatement("COMMIT"), TursoCondition.Ok(statements.Count)),
            // The stream is closed anyway; this is for a transaction that a failed statement has left open.
            new(new TursoStatement("ROLLBACK"), TursoCondition.Not(TursoCondition.Ok(statements.Count + 1))),
        ];
        var results = await BatchAsync(steps, cancellationToken);
        if (results.Take(statements.Count + 2).FirstOrDefault(step => step.Error is not null) is { Error: { } error }) throw error;
        if (results[statements.Count + 1].IsSkipped) throw _target.Failure(TursoFailure.Malformed, "execute a batch", "no step failed, and it was not committed");
        return [.. results.Skip(1).Take(statements.Count).Select(step => step.Result!)];
    }

    /// <summary>Executes the statements of a text one after the other, until one fails; each is a transaction of its own unless the text says otherwise.</summary>
    public async Task ExecuteScriptAsync(string sql, CancellationToken cancellationToken)
    {
        const string Action = "execute a script";
        var result = (await Stream().SendAsync(Action, changesNothing: false, cancellationToken, new HranaRequest.Sequence(sql), new HranaRequest.Close()))[0];
        if (result.Error is { } error) throw _target.Refused(Action, error);
    }

    /// <summary>
    /// Reads the rows of a statement that <b>changes nothing</b> as they come, however many. It may be sent again until the first row; a
    /// failure after it is the caller's. A server of version 2 answers at once, within <see cref="TursoOptions.MaxRows"/>.
    /// </summary>
    public async Task<TursoCursor> OpenCursorAsync(TursoStatement statement, CancellationToken cancellationToken)
    {
        var stream = Stream();
        try
        {
            return (await stream.OpenCursorAsync("read rows", statement, cancellationToken)).AndThen(_ => stream.CloseAsync(TursoTransaction.CloseLimit));
        }
        catch
        {
            await stream.CloseAsync(TursoTransaction.CloseLimit);
            throw;
        }
    }

    /// <summary>
    /// Begins a transaction that goes on over several requests. Between two of them no more than 10 s may pass, and a
    /// <see cref="TursoTransactionMode.Write"/> should take less than 5 s in all.
    /// </summary>
    public async Task<TursoTransaction> BeginAsync(TursoTransactionMode mode, CancellationToken cancellationToken)
    {
        const string Action = "begin a transaction";
        var stream = Stream();
        var begin = new TursoStatement(mode == TursoTransactionMode.Write ? "BEGIN IMMEDIATE" : "BEGIN");
        // A transaction that nobody heard of ends by itself, so it may be begun again.
        var result = (await stream.SendAsync(Action, changesNothing: true, cancellationToken, new HranaRequest.Execute(begin)))[0];
        if (result.Error is not { } error) return new TursoTransaction(stream, _target);
        await stream.CloseAsync(TursoTransaction.CloseLimit);
        throw _target.Refused(Action, error);
    }

    private async Task<TursoResult> OneAsync(string action, bool changesNothing, TursoStatement statement, CancellationToken cancellationToken)
    {
        var result = (await Stream().SendAsync(action, changesNothing, cancellationToken, new HranaRequest.Execute(statement), new HranaRequest.Close()))[0];
        return result.Error is { } error
            ? throw _target.Refused(action, error)
            : result.Result ?? throw _target.Failure(TursoFailure.Malformed, action, "there is no result");
    }

    private HranaStream Stream() => new(_connection, _target, _options);
}
