namespace Silo.SystemTests.Machines;

/// <summary>What every host of a story runs with: uploads are quick, and have their share while other stories use the machine up.</summary>
internal static class QuickLitestream
{
    public static readonly string[] Settings = ["--Litestream:MonitorInterval=00:00:00.100", "--Litestream:SyncInterval=00:00:00.100", "--Litestream:Niceness=0"];
}
