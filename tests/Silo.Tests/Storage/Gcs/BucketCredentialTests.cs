using Google.Apis.Auth.OAuth2;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Gcs;

public sealed class BucketCredentialTests
{
    /// <summary>What such a credential throws is of no kind that the rest of the program knows, and would end whatever renews a lease.</summary>
    [Fact]
    public async Task WorkloadIdentity_WithoutItsToken_IsAFailureOfTheBucketThatMayPass()
    {
        var file = Path.Combine(Path.GetTempPath(), $"silo-no-token-{Guid.NewGuid():n}");
        var json = $$"""
            {
              "type": "external_account", "audience": "a", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
              "token_url": "http://127.0.0.1:1/token", "credential_source": { "file": "{{file}}" }
            }
            """;
        var credential = new BucketCredential(_ => Task.FromResult(CredentialFactory.FromJson<FileSourcedExternalAccountCredential>(json).ToGoogleCredential()));

        var failure = await Assert.ThrowsAsync<BucketException>(async () => await credential.GetAsync("read a", TestContext.Current.CancellationToken));

        Assert.True(failure.IsTransient);
        Assert.Equal("SubjectTokenException", failure.InnerException!.GetType().Name);
        Assert.Contains("read a", failure.Message, StringComparison.Ordinal);
    }
}
