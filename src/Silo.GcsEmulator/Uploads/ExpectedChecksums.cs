using System.Text.Json;
using Silo.GcsEmulator.Http;
using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>The checksums, in base64, that the caller says the bytes must have.</summary>
internal readonly record struct ExpectedChecksums(string? Crc32c, string? Md5)
{
    /// <summary>From an object resource: <c>crc32c</c> and <c>md5Hash</c>.</summary>
    public static ExpectedChecksums FromResource(JsonElement resource) =>
        new(JsonBody.Text(resource, "crc32c"), JsonBody.Text(resource, "md5Hash"));

    /// <summary>These, completed by the header <c>x-goog-hash: crc32c=...,md5=...</c>.</summary>
    public ExpectedChecksums With(IHeaderDictionary headers)
    {
        var result = this;
        foreach (var line in headers["x-goog-hash"])
        {
            foreach (var hash in (line ?? "").Split(',', StringSplitOptions.TrimEntries))
            {
                if (hash.StartsWith("crc32c=", StringComparison.Ordinal)) result = result with { Crc32c = hash["crc32c=".Length..] };
                else if (hash.StartsWith("md5=", StringComparison.Ordinal)) result = result with { Md5 = hash["md5=".Length..] };
            }
        }
        return result;
    }

    /// <summary>Refuses content that was changed on its way.</summary>
    public void Require(ContentWriter content)
    {
        if (Crc32c is not null && Crc32c != content.Crc32cText())
            throw GcsRefusal.Invalid($"Provided CRC32C \"{Crc32c}\" doesn't match calculated CRC32C \"{content.Crc32cText()}\".");
        if (Md5 is not null && Md5 != content.Md5())
            throw GcsRefusal.Invalid($"Provided MD5 hash \"{Md5}\" doesn't match calculated MD5 hash \"{content.Md5()}\".");
    }
}
