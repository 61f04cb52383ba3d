using System.Text.Json;
using System.Text.Json.Serialization;

namespace Silo.Storage.Litestream;

/// <summary>What one line of Litestream's JSON log says of the replica.</summary>
public enum LitestreamEventKind
{
    /// <summary>A line of no consequence here; it is only passed on to the log.</summary>
    Other,

    /// <summary>A new generation began; nothing of it is in the bucket yet.</summary>
    GenerationStarted,

    /// <summary>The bucket has a whole snapshot of the generation.</summary>
    SnapshotWritten,

    /// <summary>Litestream began to upload a piece of the WAL.</summary>
    SegmentStarted,

    /// <summary>The bucket has a piece of the WAL.</summary>
    SegmentWritten,

    /// <summary>
    /// Litestream was told to end, or its tether has ended: it gives up what it uploads and makes its last sync beside that, under the same
    /// names. What was given up may still arrive, and take the place of what was uploaded after this line.
    /// </summary>
    Ending,

    /// <summary>Litestream met an error and will try again at the next change.</summary>
    Failure,
}

/// <summary>One line of Litestream 0.3.13's JSON log (<c>logging: {type: json}</c>).</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Position">Generation, index and offset where the piece begins.</param>
/// <param name="Bytes">Bytes of WAL in the piece (compressed bytes for a snapshot).</param>
/// <param name="Level">Litestream's own level.</param>
/// <param name="Text">The line for a person.</param>
public readonly record struct LitestreamEvent(LitestreamEventKind Kind, ReplicaPosition Position, long Bytes, string Level, string Text)
{
    /// <summary>Reads a line; one that is not JSON (a panic, say) is an <c>ERROR</c> of kind <see cref="LitestreamEventKind.Other"/>.</summary>
    public static LitestreamEvent Parse(string line)
    {
        Line? parsed;
        try
        {
            parsed = JsonSerializer.Deserialize(line, LitestreamEventJson.Default.Line);
        }
        catch (JsonException)
        {
            parsed = null;
        }
        if (parsed is not { Message: { } message }) return new(LitestreamEventKind.Other, default, 0, "ERROR", line);

        var kind = message switch
        {
            "sync: new generation" => LitestreamEventKind.GenerationStarted,
            "snapshot written" => LitestreamEventKind.SnapshotWritten,
            "write wal segment" => LitestreamEventKind.SegmentStarted,
            "wal segment written" => LitestreamEventKind.SegmentWritten,
            "signal received, litestream shutting down" or "subprocess exited, litestream shutting down" => LitestreamEventKind.Ending,
            _ when parsed.Level == "ERROR" => LitestreamEventKind.Failure,
            _ => LitestreamEventKind.Other,
        };
        var position = default(ReplicaPosition);
        if (kind == LitestreamEventKind.GenerationStarted && ReplicaPosition.IsGeneration(parsed.Generation))
            position = new ReplicaPosition(parsed.Generation!, 0, 0);
        else if (kind is not (LitestreamEventKind.Other or LitestreamEventKind.Failure or LitestreamEventKind.Ending) && !ReplicaPosition.TryParse(parsed.Position, out position))
            kind = LitestreamEventKind.Other;

        var text = (parsed.Error, parsed.Reason) switch
        {
            ({ } error, _) => $"{message}: {error}",
            (_, { } reason) => $"{message}: {reason}",
            _ => parsed.Position is null ? message : $"{message} {parsed.Position}",
        };
        return new(kind, position, parsed.Bytes, parsed.Level ?? "INFO", text);
    }

    internal sealed class Line
    {
        [JsonPropertyName("level")] public string? Level { get; init; }

        [JsonPropertyName("msg")] public string? Message { get; init; }

        [JsonPropertyName("generation")] public string? Generation { get; init; }

        [JsonPropertyName("position")] public string? Position { get; init; }

        [JsonPropertyName("sz")] public long Bytes { get; init; }

        [JsonPropertyName("error")] public string? Error { get; init; }

        [JsonPropertyName("reason")] public string? Reason { get; init; }
    }
}

[JsonSerializable(typeof(LitestreamEvent.Line))]
internal sealed partial class LitestreamEventJson : JsonSerializerContext;
