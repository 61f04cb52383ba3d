using System.Buffers.Text;
using System.Text;

namespace Silo.GcsEmulator.Store;

/// <summary>The names of a bucket in order, beside the objects themselves. Callers take turns (the bucket's lock).</summary>
internal sealed class ObjectIndex
{
    private readonly Dictionary<string, StoredObject> _objects = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _names = new(ObjectName.Order);

    public int Count => _objects.Count;

    public IEnumerable<StoredObject> Objects => _objects.Values;

    public StoredObject? Find(string name) => _objects.GetValueOrDefault(name);

    public void Put(StoredObject item)
    {
        _objects[item.Name] = item;
        _names.Add(item.Name);
    }

    public bool Remove(string name) => _objects.Remove(name) && _names.Remove(name);

    /// <summary>Costs the page, not the bucket: every rolled-up prefix is one seek past all the names below it.</summary>
    public ListPage List(ListQuery query)
    {
        var page = new ListPage([], [], null);
        var from = new[] { query.Prefix, query.StartOffset, NextName(query.PageToken) }.Max(ObjectName.Order)!;
        while (from is not null)
        {
            string? seek = null;
            foreach (var name in NamesFrom(from))
            {
                if (!name.StartsWith(query.Prefix, StringComparison.Ordinal)) return page;
                if (query.EndOffset.Length > 0 && ObjectName.Order.Compare(name, query.EndOffset) >= 0) return page;
                if (page.Objects.Count + page.Prefixes.Count >= query.MaxResults) return page with { NextPageToken = Token(name) };
                if (RolledUp(name, query) is { } prefix)
                {
                    page.Prefixes.Add(prefix);
                    if (query.IncludeTrailingDelimiter && name == prefix) page.Objects.Add(_objects[name]);
                    seek = ObjectName.AfterAll(prefix);
                    break;
                }
                page.Objects.Add(_objects[name]);
            }
            from = seek;
        }
        return page;
    }

    private SortedSet<string> NamesFrom(string first) =>
        _names.Max is { } last && ObjectName.Order.Compare(first, last) <= 0 ? _names.GetViewBetween(first, last) : [];

    private static string? RolledUp(string name, ListQuery query)
    {
        if (query.Delimiter.Length == 0) return null;
        var at = name.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
        return at < 0 ? null : name[..(at + query.Delimiter.Length)];
    }

    private static string Token(string name) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(name));

    private static string NextName(string token)
    {
        try
        {
            return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token));
        }
        catch (FormatException)
        {
            throw GcsRefusal.Invalid("Invalid page token.");
        }
    }
}
