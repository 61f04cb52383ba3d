using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;

namespace Silo.SystemTests.Faults;

/// <summary>Keeps every write and its answer, and everything else that happened, with times of one monotonic clock.</summary>
internal sealed class Recorder
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Contact>> _contacts = new();
    private readonly ConcurrentDictionary<(string Organization, string Owner), int> _acknowledged = new();
    private readonly ConcurrentQueue<(TimeSpan At, string What)> _events = new();
    private int _last;

    public TimeSpan Now => Stopwatch.GetElapsedTime(_start);

    /// <summary>How many writes of an organization an owner has acknowledged; any owner if none is named.</summary>
    public int Acknowledged(string organization, Owner? by = null) =>
        _acknowledged.Where(entry => entry.Key.Organization == organization && (by is null || entry.Key.Owner == by.Name)).Sum(entry => entry.Value);

    public IReadOnlyCollection<Contact> Contacts(string organization) => _contacts.TryGetValue(organization, out var contacts) ? contacts : [];

    public IEnumerable<Write> Writes => _contacts.Values.SelectMany(contacts => contacts).SelectMany(contact => contact.Writes);

    /// <summary>A contact that was not sent yet.</summary>
    public Contact NewContact(string organization, string? notes = null)
    {
        var contact = new Contact(organization, Interlocked.Increment(ref _last)) { Notes = notes };
        _contacts.GetOrAdd(organization, _ => new()).Enqueue(contact);
        return contact;
    }

    public void Happened(string what) => _events.Enqueue((Now, what));

    /// <summary>Sends a write and keeps what comes of it.</summary>
    public async Task<Write> SendAsync(Contact contact, WriteKind kind, Owner owner, Service service, bool replicated)
    {
        var write = new Write(contact, kind, owner, replicated, Now);
        contact.Writes.Add(write);
        try
        {
            var answer = await SendAsync(write, service.Member(contact.Organization));
            (write.IsReplicated, write.Answer) = (answer.Durability == "replicated", $"{answer.Status} {answer.Code ?? answer.Durability}");
            write.Outcome = Judge(answer);
            if (kind == WriteKind.Create && answer.Status == 201) contact.Id = answer.Id;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            (write.Outcome, write.Answer) = (Outcome.Unknown, "nobody listens"); // the client tries again by itself, and the first try may have arrived
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ObjectDisposedException && !TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            write.Answer = e.GetType().Name; // cut, or not answered in time: nobody knows
        }
        write.End = Now;
        if (write.Outcome == Outcome.Acknowledged) _acknowledged.AddOrUpdate((contact.Organization, owner.Name), 1, (_, count) => count + 1);
        return write;
    }

    /// <summary>What happened to an organization, and around it, for the report of a failure.</summary>
    public string Tell(string organization, int maxLines)
    {
        var lines = Contacts(organization).SelectMany(contact => contact.Writes).Select(write => (write.Begin, write.ToString()))
            .Concat(_events.Select(happened => (happened.At, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{happened.At.TotalSeconds,9:0.000} --- {happened.What}"))))
            .OrderBy(line => line.Item1);
        return string.Join('\n', lines.TakeLast(maxLines).Select(line => line.Item2));
    }

    private static Task<Answer> SendAsync(Write write, Client member)
    {
        var (method, path) = write.Kind switch
        {
            WriteKind.Create => (HttpMethod.Post, "/api/contacts"),
            WriteKind.Replace => (HttpMethod.Put, $"/api/contacts/{write.Contact.Id}"),
            _ => (HttpMethod.Delete, $"/api/contacts/{write.Contact.Id}"),
        };
        return member.SendAsync(method, path, write.Name is { } name ? JsonSerializer.Serialize(new { name, notes = write.Kind == WriteKind.Create ? write.Contact.Notes : null }) : null, write.AskedReplicated ? "replicated" : null);
    }

    private static Outcome Judge(Answer answer) => (answer.Status, answer.Code) switch
    {
        ( >= 200 and < 300, _) => Outcome.Acknowledged,
        (503, "durability_unavailable") => Outcome.Acknowledged, // committed, as a local write is
        (404 or 429, _) => Outcome.Refused,
        // It may have been committed before the owner found out that it is none any more; then it is kept only if the next one restored it.
        (503, "database_moved") => Outcome.Unknown,
        (503, "database_unavailable") => Outcome.Refused,
        _ => Outcome.Unknown,
    };
}
