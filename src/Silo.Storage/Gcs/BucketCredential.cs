using System.Net.Http.Headers;
using Google.Apis.Auth.OAuth2;
using Google.Apis.Auth.OAuth2.Responses;

namespace Silo.Storage.Gcs;

/// <summary>The credentials of this process, looked for when the first request needs them.</summary>
internal sealed class BucketCredential(Func<CancellationToken, Task<GoogleCredential>> find)
{
    // The name of a permission in OAuth 2, which only looks like an address.
    private const string Scope = "https://www.googleapis.com/auth/devstorage.read_write";

    // Two first requests may both look; they find the same.
    private volatile ITokenAccess? _credential;

    /// <summary>Application Default Credentials.</summary>
    public static BucketCredential OfThisProcess() => new(GoogleCredential.GetApplicationDefaultAsync);

    /// <summary>The header that a request needs; the library renews the token before it expires.</summary>
    /// <param name="action">What the request is for, for the message of a failure.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BucketException">There are no credentials, they are refused, or (transient) their issuer cannot be reached.</exception>
    public async ValueTask<AuthenticationHeaderValue> GetAsync(string action, CancellationToken cancellationToken)
    {
        try
        {
            var credential = _credential ??= (await find(cancellationToken)).CreateScoped(Scope);
            return new AuthenticationHeaderValue("Bearer", await credential.GetAccessTokenForRequestAsync(cancellationToken: cancellationToken));
        }
        catch (InvalidOperationException missing)
        {
            throw new BucketException(
                $"Cannot {action}: there are no usable Google credentials ({missing.Message}) Attach a service account to the machine or pod, set " +
                "GOOGLE_APPLICATION_CREDENTIALS to a key file, or run 'gcloud auth application-default login', and start again. " +
                "For an emulator set STORAGE_EMULATOR_HOST.", null, isTransient: false, missing);
        }
        catch (TokenResponseException refused)
        {
            throw new BucketException(
                $"Cannot {action}: the Google credentials of this process were refused ({refused.Message}). Renew them, or correct GOOGLE_APPLICATION_CREDENTIALS.",
                refused.StatusCode, refused.StatusCode is { } status && BucketException.IsTransientStatus(status), refused);
        }
        catch (Exception failure) when (failure is not (OperationCanceledException or HttpRequestException))
        {
            // Of workload identity federation, for example, which has exceptions of its own for whatever keeps it from a token.
            throw BucketException.Unanswered(action, $"no token could be had for it: {failure.Message}", failure);
        }
    }
}
