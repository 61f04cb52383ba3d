using System.Text.Json;
using System.Text.Json.Serialization;

namespace Silo.Contracts.Hosting;

/// <summary>
/// What <c>--ready-file</c> says once the process serves, as far as it applies (API.md, "Starting it"). Whoever started the
/// process waits for the file to appear and needs to guess neither the port nor the moment.
/// </summary>
public sealed record ReadyFile
{
    /// <summary>The process.</summary>
    public int Pid { get; init; } = Environment.ProcessId;

    /// <summary>Where it serves HTTP.</summary>
    public string? Url { get; init; }

    /// <summary>Where its bucket emulator serves.</summary>
    public string? BucketUrl { get; init; }

    /// <summary>Where gateways reach it, on a silo.</summary>
    public int? GatewayPort { get; init; }

    /// <summary>Where it keeps its files.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Writes the file in one piece: it is there with all of its text, or not at all.</summary>
    /// <exception cref="IOException">It cannot be written. The message is for the operator.</exception>
    public void Write(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var unfinished = $"{path}.{Pid}";
        try
        {
            File.WriteAllBytes(unfinished, JsonSerializer.SerializeToUtf8Bytes(this, ReadyFileJson.Default.ReadyFile));
            File.Move(unfinished, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The file of --ready-file cannot be written: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ReadyFile))]
internal sealed partial class ReadyFileJson : JsonSerializerContext;
