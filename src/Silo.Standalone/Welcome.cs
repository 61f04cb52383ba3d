using Silo.Gateway.Authentication;

namespace Silo.Standalone;

/// <summary>What a newcomer needs on the screen: where it is, who they are, and what to try. Tokens only when the key is our own.</summary>
internal static class Welcome
{
    public static void Print(string url, Uri? emulator, StandaloneFolder folder, string? signingKey)
    {
        var bucket = emulator is null ? "as configured" : $"{emulator.ToString().TrimEnd('/')}   (emulator of Google Cloud Storage)";
        Console.WriteLine($"""

            Silo is ready.
              API       {url}   (browse it at {url}/docs)
              Bucket    {bucket}
              Data      {folder.Path}
            """);
        if (signingKey is not null)
        {
            var tokens = new DevelopmentTokens(signingKey, TimeProvider.System);
            Console.WriteLine($$"""

                Tokens for one day, signed with the key in the data folder:
                  export TOKEN={{tokens.Member(StandaloneHosting.Demo.Value)}}
                  export ADMIN={{tokens.Admin()}}

                Try:
                  curl -X POST {{url}}/api/contacts -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"name":"Ada","email":"ada@example.com"}'
                  curl {{url}}/api/contacts -H "Authorization: Bearer $TOKEN"
                  curl {{url}}/api/admin/databases -H "Authorization: Bearer $ADMIN"
                """);
        }
        Console.WriteLine("""

            Ctrl-C puts every database into the bucket and ends.
            """);
    }
}
