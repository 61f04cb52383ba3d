using System.Text;
using System.Text.Json;
using Silo.Benchmarks.Data;
using Silo.Contracts.Contacts;

namespace Silo.Benchmarks.Load;

/// <summary>Prepared bytes of the three calls that are measured, of one organization.</summary>
internal sealed class ContactRequests(Uri server, string token)
{
    private readonly string _tail = $" HTTP/1.1\r\nHost: {server.Authority}\r\nAuthorization: Bearer {token}\r\n";

    public byte[] List(int limit) => Encoding.ASCII.GetBytes($"GET /api/contacts?limit={limit}{_tail}\r\n");

    public byte[] Get(string id) => Encoding.ASCII.GetBytes($"GET /api/contacts/{id}{_tail}\r\n");

    public byte[] Insert(ContactFields fields) => [.. InsertHead(), .. Sized(Body(fields))];

    /// <summary>The part of an insert that comes before the length of its body.</summary>
    public byte[] InsertHead() => Encoding.ASCII.GetBytes($"POST /api/contacts{_tail}Content-Type: application/json\r\n");

    public static byte[] Body(ContactFields fields) => JsonSerializer.SerializeToUtf8Bytes(fields, JsonSerializerOptions.Web);

    /// <summary>A body behind its length.</summary>
    public static byte[] Sized(byte[] body) => [.. Encoding.ASCII.GetBytes($"Content-Length: {body.Length}\r\n\r\n"), .. body];
}

/// <summary>Lists of a random organization's newest contacts.</summary>
internal sealed class ListRequests(IEnumerable<byte[]> lists, uint seed) : IRequestSource
{
    private readonly byte[][] _lists = [.. lists];
    private readonly ContactSamples _random = new(seed);

    public ReadOnlyMemory<byte> Next(int connection) => _lists[_random.Below(_lists.Length)];
}

/// <summary>Gets of a random contact of a random organization.</summary>
internal sealed class GetRequests(IEnumerable<(byte[] Get, byte[][] Ids)> organizations, uint seed) : IRequestSource
{
    private const int IdStart = 18; // behind "GET /api/contacts/"

    private readonly (byte[] Get, byte[][] Ids)[] _organizations = [.. organizations];
    private readonly ContactSamples _random = new(seed);

    public ReadOnlyMemory<byte> Next(int connection)
    {
        var (get, ids) = _organizations[_random.Below(_organizations.Length)];
        ids[_random.Below(ids.Length)].CopyTo(get, IdStart);
        return get;
    }
}

/// <summary>Inserts into a random organization, each with an address that no contact has yet.</summary>
internal sealed class InsertRequests : IRequestSource
{
    private const string Slot = "000000000000";
    private const int Bodies = 512;
    private static long _serial = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() << 20;

    private readonly byte[][] _heads;
    private readonly (byte[] Sized, int Slot)[] _bodies = new (byte[], int)[Bodies];
    private readonly ContactSamples _random;
    private readonly byte[] _request = new byte[8192];

    public InsertRequests(IEnumerable<byte[]> heads, uint seed)
    {
        _heads = [.. heads];
        _random = new ContactSamples(seed);
        for (var i = 0; i < Bodies; i++)
        {
            var sized = ContactRequests.Sized(ContactRequests.Body(_random.Next(Slot + "0000")));
            _bodies[i] = (sized, sized.AsSpan().IndexOf("0000000000000000"u8));
        }
    }

    public ReadOnlyMemory<byte> Next(int connection)
    {
        var head = _heads[_random.Below(_heads.Length)];
        var (body, slot) = _bodies[_random.Below(Bodies)];
        Interlocked.Increment(ref _serial).TryFormat(body.AsSpan(slot), out _, "x16");
        head.CopyTo(_request, 0);
        body.CopyTo(_request, head.Length);
        return _request.AsMemory(0, head.Length + body.Length);
    }
}

/// <summary>The contacts that organizations begin with: each organization's in order, on one connection.</summary>
internal sealed class SeedRequests(int connections, IEnumerable<IEnumerable<byte[]>> organizations, Action begun) : IRequestSource
{
    private readonly Queue<IEnumerable<byte[]>> _waiting = new(organizations);
    private readonly IEnumerator<byte[]>?[] _current = new IEnumerator<byte[]>[connections];

    public ReadOnlyMemory<byte> Next(int connection)
    {
        while (_current[connection]?.MoveNext() != true)
        {
            if (!_waiting.TryDequeue(out var next)) return default;
            _current[connection] = next.GetEnumerator();
            begun();
        }
        return _current[connection]!.Current;
    }
}
