namespace Silo.Storage.Litestream;

/// <summary>What was done so far to make the bucket follow, in one activation.</summary>
/// <param name="Pokes">A mark was written, so that Litestream tries again.</param>
/// <param name="Stalls">It was ended and started again, because nothing was confirmed for <c>Litestream:MaxLag</c>.</param>
/// <param name="Kills">Of those: it did not end when asked to, and was killed.</param>
/// <param name="Deaths">It had ended by itself and was started again.</param>
public readonly record struct ReplicationRemedies(int Pokes, int Stalls, int Kills, int Deaths);
