using System.Net.Sockets;

namespace Silo.Storage.Turso;

/// <summary>One try at a request, whose time runs until the answer is whole; what can go wrong in it, and what that means.</summary>
internal sealed class HranaTry : IDisposable
{
    private readonly HranaCall _call;
    private readonly TimeSpan _limit;
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenSource _either;

    public HranaTry(HranaCall call, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        _call = call;
        _limit = limit;
        _timeout = new CancellationTokenSource(limit, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_timeout.Token, cancellationToken);
    }

    /// <summary>Ends when the caller gives up or the time is over.</summary>
    public CancellationToken Token => _either.Token;

    /// <summary>Lets the time run anew: something has come.</summary>
    public void Extend() => _timeout.CancelAfter(_limit);

    /// <summary>Stops the time: nothing is waited for, since whoever reads is not ready for more.</summary>
    public void Pause() => _timeout.CancelAfter(Timeout.InfiniteTimeSpan);

    /// <summary>Ends what is waited for.</summary>
    public void Abort() => _either.Cancel();

    /// <summary>What a failure of HTTP or of reading stands for; null for what is none, or when the caller gave up.</summary>
    public TursoException? Explain(Exception failure, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return null;
        return failure switch
        {
            // What ConnectTimeout throws looks like any other cancellation.
            OperationCanceledException { InnerException: TimeoutException } when !_timeout.IsCancellationRequested =>
                Of(TursoFailure.Unreachable, "no connection in time"),
            OperationCanceledException => Of(TursoFailure.Unanswered, $"nothing came for {_limit.TotalSeconds:0.###} s"),
            HttpRequestException
            {
                HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError
            } => Of(TursoFailure.Unreachable, Said()),
            HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded } => Of(TursoFailure.TooLarge, "the answer is larger than Turso:MaxAnswerBytes"),
            // HttpClient lets a bare SocketException out when a connection is reset in the moment in which it was made.
            HttpRequestException or IOException or SocketException => Of(TursoFailure.Unanswered, Said()),
            HranaRowLimitException => Of(TursoFailure.TooLarge, failure.Message + " (Turso:MaxRows)"),
            _ when HranaReader.IsNonsense(failure) => Of(TursoFailure.Malformed, $"the answer cannot be understood: {Said()}"),
            _ => null,
        };

        TursoException Of(TursoFailure kind, string reason) => _call.Target.Failure(kind, _call.Action, reason);

        // No failure goes along as an inner exception: some quote what the server sent, and that may be the token.
        string Said() => _call.Target.Words(failure.GetBaseException().Message);
    }

    public void Dispose()
    {
        _either.Dispose();
        _timeout.Dispose();
    }
}
