namespace Silo.Storage.Litestream;

/// <summary>Litestream could not do what an organization needed: it says what, and what an operator can do.</summary>
public sealed class LitestreamException(string message, Exception? innerException = null) : Exception(message, innerException);
