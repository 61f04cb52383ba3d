namespace Silo.Contracts.Databases;

/// <summary>How a traced request says so to the grains that it calls: a note in Orleans' request context. Other requests have none.</summary>
public static class TraceNote
{
    /// <summary>Its key; the value is the caller's span as W3C Trace Context writes it (<c>traceparent</c>).</summary>
    public const string Key = "silo.traceparent";
}
