namespace Silo.Contracts;

/// <summary>How far a write has come when it is answered (header <c>Silo-Durability</c>).</summary>
public enum Durability
{
    /// <summary>Committed on the owning silo; in the bucket within the sync interval.</summary>
    Local,

    /// <summary>The bucket has it under the head's generation.</summary>
    Replicated,
}
