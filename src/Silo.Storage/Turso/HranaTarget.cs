using System.Buffers;
using System.Text;
using Silo.Contracts;

namespace Silo.Storage.Turso;

/// <summary>
/// A database as requests see it: where it is, who it belongs to, its token, and which version its server speaks. Words of the server that
/// go into a message pass through here. Safe for use by many at once.
/// </summary>
internal sealed class HranaTarget(OrganizationId organization, TursoAddress address, string? secret, TursoSecrets secrets)
{
    private const int MaxWords = 500;
    private const int MaxCode = 64;
    private static readonly SearchValues<char> CodeCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    private volatile string? _token;
    private volatile string? _former;
    private volatile bool _hasToken;
    private volatile int _version = 3;
    private volatile bool _isVersionKnown;

    public OrganizationId Organization => organization;

    public TursoAddress Address => address;

    /// <summary>The version that is spoken: 3, until the server turns out to know only 2.</summary>
    public int Version => _version;

    /// <summary>Whether the server has shown that it speaks it.</summary>
    public bool IsVersionKnown => _isVersionKnown;

    public void SpeaksVersion(int version) => (_version, _isVersionKnown) = (version, true);

    /// <summary>The token; null when the server is asked without one.</summary>
    public async ValueTask<string?> TokenAsync(CancellationToken cancellationToken)
    {
        if (_hasToken) return _token;
        _token = await secrets.ReadAsync(secret, cancellationToken);
        _hasToken = true;
        return _token;
    }

    /// <summary>Reads the token again, unless another request has done so since it was refused.</summary>
    /// <param name="refused">The token that the server refused.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether it is another one now.</returns>
    public async ValueTask<bool> RenewTokenAsync(string? refused, CancellationToken cancellationToken)
    {
        if (_token != refused) return true;
        var token = await secrets.ReadAsync(secret, cancellationToken);
        if (token == refused) return false;
        (_former, _token) = (refused, token);
        return true;
    }

    /// <summary>A failure of this database.</summary>
    /// <param name="failure">At which point.</param>
    /// <param name="action">What was being done, as in "run a statement".</param>
    /// <param name="reason">Why it failed, in our words or, through <see cref="Words"/>, in the server's.</param>
    public TursoException Failure(TursoFailure failure, string action, string reason) => new(
        failure, $"Cannot {action} in the Turso database of {organization} ({address}): {Sentence(reason)}{TursoException.Remedy(failure)}")
    {
        MayHaveExecuted = failure is TursoFailure.Unavailable or TursoFailure.Unanswered or TursoFailure.Malformed or TursoFailure.TooLarge,
    };

    /// <summary>What the server refused in an answer of status 200.</summary>
    public TursoException Refused(string action, HranaError error)
    {
        var code = Code(error.Code);
        var failure = code switch
        {
            "TRANSACTION_TIMEOUT" or "STREAM_EXPIRED" => TursoFailure.StreamLost,
            "TRANSACTION_BUSY" => TursoFailure.Overloaded,
            "RESPONSE_TOO_LARGE" => TursoFailure.TooLarge,
            _ => TursoFailure.Refused,
        };
        return new TursoException(
            failure,
            $"Cannot {action} in the Turso database of {organization} ({address}): {(code is null ? "" : code + ": ")}{Sentence(Words(error.Message))}{TursoException.Remedy(failure)}")
        {
            Code = code,
            MayHaveExecuted = failure == TursoFailure.TooLarge,
        };
    }

    /// <summary>What a server says, made fit for a message: one line, bounded, and without the token should it repeat it, or the one before.</summary>
    public string Words(string text)
    {
        foreach (var token in (string?[])[_token, _former])
            if (token is { Length: > 0 }) text = text.Replace(token, "(token)", StringComparison.Ordinal);
        var words = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (words.Length >= MaxWords) return words.Append('…').ToString();
            if (Rune.IsControl(rune)) words.Append(' ');
            else words.Append(rune.ToString());
        }
        return words.ToString();
    }

    /// <summary>A code of the server; null for what is none.</summary>
    public static string? Code(string? text) =>
        text is { Length: > 0 and <= MaxCode } && text.AsSpan().IndexOfAnyExcept(CodeCharacters) < 0 ? text : null;

    private static string Sentence(string text)
    {
        text = text.Trim();
        return text.Length == 0 ? "" : text.EndsWith('.') ? text + " " : text + ". ";
    }
}
