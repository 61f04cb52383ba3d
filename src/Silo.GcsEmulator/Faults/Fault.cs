using System.Text.Json.Serialization;
using Silo.GcsEmulator.Http;

namespace Silo.GcsEmulator.Faults;

/// <summary>What goes wrong.</summary>
internal enum FaultAction
{
    /// <summary>The request waits for <see cref="Fault.DelayMs"/>, then goes on (to the next fault, if one matches).</summary>
    [JsonStringEnumMemberName("delay")]
    Delay,

    /// <summary>The request is read, not carried out, and answered with <see cref="Fault.Status"/>.</summary>
    [JsonStringEnumMemberName("status")]
    Status,

    /// <summary>The connection is cut: at once, or after <see cref="Fault.AfterBytes"/> of the request's or the answer's body.</summary>
    [JsonStringEnumMemberName("drop")]
    Drop,

    /// <summary>The request is carried out; then the connection is cut, or <see cref="Fault.Status"/> is answered.</summary>
    [JsonStringEnumMemberName("loseAnswer")]
    LoseAnswer,

    /// <summary>Nothing happens until the client goes away, the plan changes or <see cref="Fault.DelayMs"/> is over; then the connection is cut.</summary>
    [JsonStringEnumMemberName("stall")]
    Stall,

    /// <summary>
    /// An upload in one request is taken whole, and carried out when <see cref="Fault.DelayMs"/> is over or the plan changes, even if the client
    /// has gone meanwhile. Other requests go on at once.
    /// </summary>
    [JsonStringEnumMemberName("late")]
    Late,
}

/// <summary>One entry of the fault plan, as the control endpoint takes and shows it.</summary>
internal sealed record Fault
{
    private static readonly string[] Verbs = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>An HTTP verb, the name of a <see cref="RequestKind"/> as in the statistics, or <c>*</c> or nothing for all.</summary>
    public string? Method { get; init; }

    /// <summary>The object names (for a list: the prefixes, for a copy: the targets) that are hit; nothing for all.</summary>
    public string? NamePrefix { get; init; }

    public FaultAction? Action { get; init; }

    public int? DelayMs { get; init; }

    public int? Status { get; init; }

    /// <summary>Ends after so many requests.</summary>
    public int? Count { get; init; }

    /// <summary>Hits a matching request with this chance, the same ones for the same <see cref="Seed"/>.</summary>
    public double? Probability { get; init; }

    public int? Seed { get; init; }

    /// <summary>Ends so long after the plan was set.</summary>
    public int? DurationMs { get; init; }

    public long? AfterBytes { get; init; }

    /// <summary>How many requests it has hit; shown, not read.</summary>
    public int? Fired { get; init; }

    /// <summary>What is wrong with this entry, or null.</summary>
    public string? Problem()
    {
        if (Action is null) return "'action' is missing: one of delay, status, drop, loseAnswer, stall, late";
        if (!IsKnown(Method)) return $"'method' is neither an HTTP verb nor a request kind nor '*': '{Method}'";
        if (DelayMs is < 0 or > 3_600_000) return "'delayMs' must be 0 to 3600000";
        if (Action == FaultAction.Delay && DelayMs is null) return "'delay' needs 'delayMs'";
        if (Status is < 400 or > 599) return "'status' must be 400 to 599";
        if (Action == FaultAction.Status && Status is null) return "'status' needs 'status'";
        if (Status is not null && Action is not (FaultAction.Status or FaultAction.LoseAnswer)) return "'status' goes with status and loseAnswer only";
        if (Count < 1) return "'count' must be at least 1";
        if (Probability is <= 0 or > 1 or double.NaN) return "'probability' must be above 0 and at most 1";
        if (Seed is not null && Probability is null) return "'seed' goes with 'probability' only";
        if (DurationMs < 1) return "'durationMs' must be at least 1";
        if (AfterBytes < 0) return "'afterBytes' must not be negative";
        if (AfterBytes is not null && Action != FaultAction.Drop) return "'afterBytes' goes with drop only";
        return null;
    }

    public bool Matches(string verb, RequestKind kind, string name) =>
        (Method is null or "*" || Method.Equals(verb, StringComparison.OrdinalIgnoreCase) || IsKind(Method, kind))
        && (NamePrefix is null || name.StartsWith(NamePrefix, StringComparison.Ordinal));

    private static bool IsKnown(string? method) =>
        method is null or "*"
        || Verbs.Contains(method, StringComparer.OrdinalIgnoreCase)
        || Enum.GetValues<RequestKind>().Any(kind => kind != RequestKind.Control && IsKind(method, kind));

    private static bool IsKind(string method, RequestKind kind) => method.Equals(kind.ToString(), StringComparison.OrdinalIgnoreCase);
}
