using System.Runtime.CompilerServices;

namespace Silo.Storage.Turso;

/// <summary>
/// A stream: one connection to the database on the server's side, which goes on from request to request by the baton that each answer
/// carries. One request at a time: a second one meanwhile is a mistake of the program and is told so. A failure of a request of a stream
/// that is under way loses the stream, since its next baton is not known.
/// </summary>
internal sealed class HranaStream(HranaConnection connection, HranaTarget target, TursoOptions options)
{
    private string? _baton;
    private Uri? _baseUrl;
    private bool _isOver;
    private int _isBusy;

    /// <summary>Whether no request can follow: it was closed, or lost.</summary>
    public bool IsOver => _isOver;

    /// <summary>Sends requests, which the server executes one after the other whatever becomes of each.</summary>
    /// <param name="action">What they do, for messages.</param>
    /// <param name="changesNothing">Whether they may be executed twice.</param>
    /// <param name="cancellationToken">Gives up, and loses the stream.</param>
    /// <param name="requests">The requests; a <see cref="HranaRequest.Close"/> may be the last.</param>
    public async Task<IReadOnlyList<HranaResult>> SendAsync(string action, bool changesNothing, CancellationToken cancellationToken, params HranaRequest[] requests)
    {
        Enter();
        try
        {
            var body = HranaWriter.Pipeline(_baton, requests);
            var answer = await SpeakAsync(
                version => connection.SendAsync(
                    new HranaCall(target, action, UrlOf(version, "pipeline"), body, _baton is not null, changesNothing),
                    async (response, attempt) => await ReadAsync(response, requests.Length, attempt.Token),
                    cancellationToken),
                cancellationToken);
            Follow(answer.Baton, answer.BaseUrl, action);
            return answer.Results;
        }
        catch (Exception e) when (_baton is not null && e is not ArgumentException)
        {
            _isOver = true;
            throw;
        }
        finally
        {
            Volatile.Write(ref _isBusy, 0);
        }
    }

    /// <summary>Starts to read the rows of a statement that changes nothing. The stream is busy until the cursor is disposed of.</summary>
    public async Task<TursoCursor> OpenCursorAsync(string action, TursoStatement statement, CancellationToken cancellationToken)
    {
        Enter();
        HranaCursor? cursor = null;
        try
        {
            var body = HranaWriter.Cursor(_baton, [new TursoBatchStep(statement)]);
            cursor = await SpeakAsync(
                async version => version == 2 ? null : await connection.SendAsync<HranaCursor?>(
                    new HranaCall(target, action, UrlOf(version, "cursor"), body, _baton is not null, ChangesNothing: true),
                    async (response, attempt) => await HranaCursor.BeginAsync(target, action, options.MaxRowBytes, response, attempt),
                    cancellationToken),
                cancellationToken);
            if (cursor is not null)
            {
                Follow(cursor.Baton, cursor.BaseUrl, action);
                return new TursoCursor(cursor.Columns, cursor.ReadAsync(cancellationToken), async () =>
                {
                    await cursor.DisposeAsync();
                    Volatile.Write(ref _isBusy, 0);
                });
            }
        }
        catch (Exception e) when (_baton is not null && e is not ArgumentException)
        {
            _isOver = true;
            throw;
        }
        finally
        {
            if (cursor is null) Volatile.Write(ref _isBusy, 0);
        }

        // Version 2 has no cursors: what it answers is whole, and bounded as every answer is.
        var whole = (await SendAsync(action, changesNothing: true, cancellationToken, new HranaRequest.Execute(statement)))[0];
        if (whole.Error is { } error) throw target.Refused(action, error);
        return new TursoCursor(whole.Result!.Columns, Each(whole.Result.Rows, cancellationToken), () => ValueTask.CompletedTask);
    }

    /// <summary>
    /// Closes the stream, which otherwise goes after some 10 s by itself; what is not committed is gone. Nobody waits long for it, and
    /// nobody needs to hear that it failed.
    /// </summary>
    public async ValueTask CloseAsync(TimeSpan limit)
    {
        var isBusy = Volatile.Read(ref _isBusy) == 1;
        if (isBusy || _isOver || _baton is null)
        {
            _isOver = true;
            return;
        }
        using var timeout = new CancellationTokenSource(limit);
        try
        {
            await SendAsync("close a stream", changesNothing: false, timeout.Token, new HranaRequest.Close());
        }
        catch (Exception e) when (e is TursoException or OperationCanceledException)
        {
            // gone, or it goes by itself
        }
        _isOver = true;
    }

    private async Task<HranaAnswer> ReadAsync(HttpResponseMessage response, int requests, CancellationToken cancellationToken)
    {
        await response.Content.LoadIntoBufferAsync(options.MaxAnswerBytes, cancellationToken);
        var answer = new HranaReader(options.MaxRows).Answer(await response.Content.ReadAsByteArrayAsync(cancellationToken));
        if (answer.Results.Count != requests) throw new FormatException($"there are {answer.Results.Count} results of {requests} requests");
        return answer;
    }

    /// <summary>
    /// Speaks version 3 until the server shows that it only knows version 2. A path that is not there has executed nothing, so the request
    /// may be sent again; but it can also mean that the database is not there, which the greeting of each version tells.
    /// </summary>
    private async Task<T> SpeakAsync<T>(Func<int, Task<T>> request, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await request(target.Version);
            if (!target.IsVersionKnown) target.SpeaksVersion(target.Version);
            return answer;
        }
        catch (TursoException missing) when (missing.Failure == TursoFailure.NotFound && !target.IsVersionKnown && _baton is null)
        {
            if (await GreetsAsync(3) || !await GreetsAsync(2)) throw;
            target.SpeaksVersion(2);
            return await request(2);
        }

        async Task<bool> GreetsAsync(int version)
        {
            try
            {
                var call = new HranaCall(target, "find the version of the server", new Uri(target.Address.Url, $"v{version}"), default, HasBaton: false, ChangesNothing: true);
                return await connection.SendAsync(call, (_, _) => Task.FromResult(true), cancellationToken);
            }
            catch (TursoException absent) when (absent.Failure == TursoFailure.NotFound)
            {
                return false;
            }
        }
    }

    private Uri UrlOf(int version, string endpoint) => new(_baseUrl ?? target.Address.Url, $"v{version}/{endpoint}");

    private void Follow(string? baton, string? baseUrl, string action)
    {
        _baton = baton;
        if (baton is null) _isOver = true;
        if (baseUrl is null) return;
        try
        {
            _baseUrl = target.Address.Sibling(baseUrl);
        }
        catch (FormatException unsafeAddress)
        {
            _isOver = true;
            throw target.Failure(TursoFailure.Malformed, action, unsafeAddress.Message);
        }
    }

    private void Enter()
    {
        if (Interlocked.Exchange(ref _isBusy, 1) == 1) throw new InvalidOperationException("A request or a cursor of this stream is still under way.");
        if (!_isOver) return;
        Volatile.Write(ref _isBusy, 0);
        throw new InvalidOperationException("The stream is over.");
    }

    private static async IAsyncEnumerable<TursoValue[]> Each(IReadOnlyList<TursoValue[]> rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await ValueTask.CompletedTask;
        foreach (var row in rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return row;
        }
    }
}
