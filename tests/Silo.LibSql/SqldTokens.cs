using System.Buffers.Text;
using System.Text.Json.Nodes;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Security;

namespace Silo.LibSql;

/// <summary>Tokens for a libSQL server, of the same form as Turso's: JWTs that an Ed25519 key signs, which .NET does not do by itself.</summary>
internal sealed class SqldTokens
{
    private readonly Ed25519PrivateKeyParameters _key = new(new SecureRandom());

    /// <summary>What the server is started with.</summary>
    public string PublicKey => Base64Url.EncodeToString(_key.GeneratePublicKey().GetEncoded());

    /// <summary>A token.</summary>
    /// <param name="namespace">The only database that it opens; null for every one.</param>
    /// <param name="readOnly">Whether it lets write.</param>
    /// <param name="expires">When it ends; null for never.</param>
    public string Make(string? @namespace = null, bool readOnly = false, DateTimeOffset? expires = null)
    {
        var claims = new JsonObject { ["a"] = readOnly ? "ro" : "rw" };
        if (@namespace is not null) claims["id"] = @namespace;
        if (expires is { } end) claims["exp"] = end.ToUnixTimeSeconds();
        var signed = $"{Encode("""{"alg":"EdDSA","typ":"JWT"}""")}.{Encode(claims.ToJsonString())}";
        var signer = new Ed25519Signer();
        signer.Init(forSigning: true, _key);
        var bytes = System.Text.Encoding.ASCII.GetBytes(signed);
        signer.BlockUpdate(bytes, 0, bytes.Length);
        return $"{signed}.{Base64Url.EncodeToString(signer.GenerateSignature())}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes(text));
}
