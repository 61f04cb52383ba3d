namespace Silo.Cli;

/// <summary>What the program ends with.</summary>
internal static class ExitCode
{
    /// <summary>It is done.</summary>
    public const int Done = 0;

    /// <summary>The server refused or failed, or cannot be reached.</summary>
    public const int Refused = 1;

    /// <summary>The command line or the settings are wrong; nothing was asked for.</summary>
    public const int Usage = 2;
}

/// <summary>The command line or the settings are wrong. The message is for who typed it.</summary>
internal sealed class UsageException(string message) : Exception(message);
