using System.Diagnostics.Metrics;
using Silo.Storage.Telemetry;

namespace Silo.Storage.Usage;

/// <summary>What came of opening databases that nobody had asked for.</summary>
/// <param name="meters">Makes the instruments.</param>
public sealed class WarmUpMetrics(IMeterFactory meters)
{
    private readonly EventCounts _warmUps = new(
        meters.CreateSilo(), "silo.warmups", "{database}", "Databases that were to be open before anybody asks for them: open, failed, or left alone for want of room.",
        "outcome", "opened", "failed", "no_room");

    /// <summary>One is open.</summary>
    public void Opened() => _warmUps.Add("opened");

    /// <summary>One could not be opened.</summary>
    public void Failed() => _warmUps.Add("failed");

    /// <summary>There was no room for one, nor for those after it.</summary>
    public void HadNoRoom() => _warmUps.Add("no_room");
}
