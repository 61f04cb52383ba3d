using System.Text.Json;
using System.Text.Json.Serialization;
using Silo.Contracts;
using Silo.Contracts.Imports;
using Silo.Storage.Gcs;

namespace Silo.Storage.Imports;

/// <summary>
/// Files of contacts in the bucket: <c>imports/{org}/{id}</c>, and beside each <c>{id}.json</c>, which says that the organization has
/// accepted it. From that note on, whoever owns the organization goes on with it; without it a file is an attempt that came to nothing.
/// </summary>
public sealed class StagedImports(BucketClient bucket)
{
    private const string Root = "imports/";
    private const string NoteEnding = ".json";

    /// <summary>Sends a file to its place, over what an earlier attempt left there.</summary>
    /// <returns>The object's generation, by which it can be taken back.</returns>
    /// <exception cref="BucketException">The bucket does not take it.</exception>
    /// <exception cref="IOException">The content cannot be read.</exception>
    public async Task<long> UploadAsync(OrganizationId organization, string id, Stream content, CancellationToken cancellationToken) =>
        (await bucket.UploadAsync(NameOf(organization, id), content, "application/octet-stream", cancellationToken)).Generation;

    /// <summary>Takes a file back that was not accepted. One that was sent since under the same id, which may be accepted, stays.</summary>
    /// <exception cref="BucketException">The bucket does not delete it.</exception>
    public Task TakeBackAsync(OrganizationId organization, string id, long generation, CancellationToken cancellationToken) =>
        DropAsync(NameOf(organization, id), generation, cancellationToken);

    /// <summary>Copies a file from its place.</summary>
    /// <returns>False when there is none.</returns>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task<bool> DownloadAsync(OrganizationId organization, string id, Stream destination, CancellationToken cancellationToken)
    {
        if (await bucket.GetAsync(NameOf(organization, id), cancellationToken) is null) return false;
        await bucket.DownloadAsync(NameOf(organization, id), destination, cancellationToken);
        return true;
    }

    /// <summary>Writes down that a file is accepted.</summary>
    /// <exception cref="BucketException">The bucket does not take the note.</exception>
    public Task AcceptAsync(OrganizationId organization, StagedImport import, CancellationToken cancellationToken) => bucket.UploadAsync(
        NameOf(organization, import.Id) + NoteEnding, JsonSerializer.SerializeToUtf8Bytes(import, ImportJson.Default.StagedImport), "application/json",
        ifGenerationMatch: null, cancellationToken);

    /// <summary>The files of an organization that are accepted and not done with, oldest first.</summary>
    /// <returns>Each by the name of its note; without what the note says if that cannot be read.</returns>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task<IReadOnlyList<(string Note, StagedImport? Import)>> AcceptedAsync(OrganizationId organization, CancellationToken cancellationToken)
    {
        var accepted = new List<(DateTimeOffset At, string Note, StagedImport? Import)>();
        await foreach (var item in bucket.ListAsync(NameOf(organization, ""), cancellationToken: cancellationToken))
        {
            if (!item.Name.EndsWith(NoteEnding, StringComparison.Ordinal)) continue;
            if (await bucket.DownloadAsync(item.Name, cancellationToken) is { } note) accepted.Add((item.Updated, item.Name, Parse(note.Bytes)));
        }
        return [.. accepted.OrderBy(entry => entry.At).Select(entry => (entry.Note, entry.Import))];
    }

    /// <summary>Deletes a file, and last the note, so that a deletion that is cut short is finished by the next owner.</summary>
    /// <exception cref="BucketException">The bucket does not delete it.</exception>
    public async Task DeleteAsync(OrganizationId organization, string id, CancellationToken cancellationToken)
    {
        await bucket.DeleteAsync(NameOf(organization, id), ifGenerationMatch: null, cancellationToken);
        await bucket.DeleteAsync(NameOf(organization, id) + NoteEnding, ifGenerationMatch: null, cancellationToken);
    }

    /// <summary>Looks through all organizations: deletes files that nobody accepted for a while.</summary>
    /// <param name="retention">That while.</param>
    /// <param name="now">By the bucket's clock, about.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The organizations that have accepted files.</returns>
    /// <exception cref="BucketException">The bucket cannot be reached.</exception>
    public async Task<IReadOnlyCollection<OrganizationId>> SweepAsync(TimeSpan retention, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var waiting = new HashSet<OrganizationId>();
        BucketObject? file = null;
        await foreach (var item in bucket.ListAsync(Root, cancellationToken: cancellationToken))
        {
            // A file's note comes right after it, by name.
            if (item.Name.EndsWith(NoteEnding, StringComparison.Ordinal))
            {
                if (OwnerOf(item.Name) is { } organization) waiting.Add(organization);
                if (item.Name == file?.Name + NoteEnding) file = null;
                continue;
            }
            await DropOldAsync(file);
            file = item;
        }
        await DropOldAsync(file);
        return waiting;

        Task DropOldAsync(BucketObject? abandoned) =>
            abandoned is null || now - abandoned.Updated < retention ? Task.CompletedTask : DropAsync(abandoned.Name, abandoned.Generation, cancellationToken);
    }

    private async Task DropAsync(string name, long generation, CancellationToken cancellationToken)
    {
        try
        {
            await bucket.DeleteAsync(name, generation, cancellationToken);
        }
        catch (BucketPreconditionException)
        {
            // It was sent anew.
        }
    }

    private static StagedImport? Parse(byte[] note)
    {
        try
        {
            return JsonSerializer.Deserialize(note, ImportJson.Default.StagedImport);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static OrganizationId? OwnerOf(string name) =>
        name[Root.Length..].Split('/') is [var id, _] && OrganizationId.TryParse(id, out var organization) ? organization : null;

    private static string NameOf(OrganizationId organization, string id) => $"{Root}{organization}/{id}";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StagedImport))]
[JsonSerializable(typeof(ImportRecord))]
internal sealed partial class ImportJson : JsonSerializerContext;
