using System.Text.RegularExpressions;

namespace Silo.Storage.Turso;

/// <summary>Finds the token of an organization: <see cref="TursoOptions.AuthToken"/>, or the file that its secret is.</summary>
internal sealed partial class TursoSecrets(TursoOptions options)
{
    private const int MaxTokenBytes = 8192;

    /// <summary>Whether a text can be the name of a secret.</summary>
    public static bool IsName(string secret) => Name().IsMatch(secret);

    /// <summary>The token as it is now; null when none is configured.</summary>
    /// <param name="secret">The name of the organization's secret; null for the token of all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="TursoException"><see cref="TursoFailure.Unauthorized"/>: there is no such secret, or it holds no token.</exception>
    public async ValueTask<string?> ReadAsync(string? secret, CancellationToken cancellationToken)
    {
        if (secret is null)
        {
            if (options.AuthToken is not { Length: > 0 } common) return null;
            return Token().IsMatch(common) ? common : throw new TursoException(TursoFailure.Unauthorized, "Turso:AuthToken has characters that no token has.");
        }
        if (!IsName(secret)) throw Unreadable("a Turso secret", "its reference is no name of a file (1 to 128 letters, digits, '.', '_' and '-')");
        if (string.IsNullOrEmpty(options.SecretsDirectory)) throw Unreadable(secret, "Turso:SecretsDirectory is not set");
        try
        {
            var file = new FileInfo(Path.Combine(options.SecretsDirectory, secret));
            if (!file.Exists) throw Unreadable(secret, "there is no such file in Turso:SecretsDirectory");
            if (file.Length > MaxTokenBytes + 2) throw Unreadable(secret, "it is too large for a token");
            var token = (await File.ReadAllTextAsync(file.FullName, cancellationToken)).Trim();
            return Token().IsMatch(token) ? token : throw Unreadable(secret, "it is empty, or has characters that no token has");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(secret, "its file cannot be read", e);
        }
    }

    private static TursoException Unreadable(string secret, string reason, Exception? innerException = null) =>
        new(TursoFailure.Unauthorized, $"Cannot read the Turso secret '{secret}': {reason}. {TursoException.TokenRemedy}", innerException);

    // No "." or "..", and no slash: a name and not a way out of the folder.
    [GeneratedRegex("^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,128}$")]
    private static partial Regex Name();

    [GeneratedRegex("^[!-~]+$")]
    private static partial Regex Token();
}
