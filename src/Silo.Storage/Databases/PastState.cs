using System.Globalization;
using Silo.Contracts;
using Silo.Storage.Litestream;

namespace Silo.Storage.Databases;

/// <summary>
/// A state of the past, brought back from the bucket and proven, in a file that no activation looks at. It is gone when it is
/// disposed, unless it was opened.
/// </summary>
/// <param name="files">The file.</param>
/// <param name="plan">What it was made from.</param>
/// <param name="contacts">How many contacts it has.</param>
public sealed class PastState(OrgFiles files, RestorePlan plan, long contacts) : IAsyncDisposable
{
    /// <summary>The epoch that it was made from.</summary>
    public long Epoch => plan.Generation.Epoch;

    /// <summary>The generation that it was made from.</summary>
    public string Generation => plan.Generation.Generation;

    /// <summary>When the last object that went into it was written, by the bucket's clock.</summary>
    public DateTimeOffset StateAt => plan.StateAt;

    /// <summary>How many contacts it has.</summary>
    public long Contacts { get; } = contacts;

    internal ChosenFile Chosen => new(files, string.Create(CultureInfo.InvariantCulture, $"generation {Generation} of epoch {Epoch}, as it was at {StateAt:O}"));

    /// <summary>Deletes the file, if it was not opened.</summary>
    public async ValueTask DisposeAsync() => await Task.Run(() =>
    {
        if (Directory.Exists(files.DataDirectory)) Directory.Delete(files.DataDirectory, recursive: true);
    });
}

/// <summary>The replica has no state so old.</summary>
/// <param name="organization">Whose replica.</param>
/// <param name="moment">What was asked for.</param>
/// <param name="oldest">The oldest that it has, by the bucket's clock; null when it has none.</param>
public sealed class NoPastStateException(OrganizationId organization, DateTimeOffset moment, DateTimeOffset? oldest)
    : Exception($"Organization {organization}: the replica has no state of {moment:O} or before; {(oldest is null ? "it has none at all" : $"its oldest is of {oldest:O}")}.");

/// <summary>A file whose rows an operator chose over what the bucket has.</summary>
/// <param name="Files">Where it is.</param>
/// <param name="Origin">What it was made of, to go on in a sentence.</param>
internal sealed record ChosenFile(OrgFiles Files, string Origin);
