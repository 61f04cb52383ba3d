using System.Collections.Concurrent;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;
using Silo.Storage.Sqlite;

namespace Silo.Benchmarks.Floor;

/// <summary>One organization's file with its readers and its one writer behind a lock; no grain, no lease, no replica.</summary>
internal sealed class FloorDatabase : IDisposable
{
    private readonly string _path;
    private readonly OrgWriter _writer;
    private readonly ContactWriter _contacts;
    private readonly Lock _writing = new();
    private readonly ConcurrentStack<ContactReader> _readers = new();

    public FloorDatabase(string path, OrganizationId organization)
    {
        _path = path;
        _writer = new OrgWriter(path);
        OrgSchema.Migrate(_writer.Connection, organization);
        // Nobody else checkpoints here, so SQLite does, at its default.
        _writer.Connection.Execute("PRAGMA wal_autocheckpoint = 1000");
        _contacts = new ContactWriter(_writer.Connection, TimeProvider.System);
    }

    public JsonBytes List(ContactListQuery query)
    {
        var reader = Borrow();
        var page = reader.List(query);
        _readers.Push(reader);
        return page;
    }

    public JsonBytes Get(string id)
    {
        var reader = Borrow();
        var contact = reader.Get(id);
        _readers.Push(reader);
        return contact;
    }

    public (string Id, JsonBytes Contact) Insert(ContactFields fields)
    {
        var id = Guid.CreateVersion7().ToString();
        lock (_writing) return (id, _contacts.Insert(id, fields));
    }

    /// <summary>Adds many contacts in one transaction.</summary>
    public void Seed(IEnumerable<ContactFields> contacts)
    {
        lock (_writing)
        {
            _writer.Connection.Execute("BEGIN");
            foreach (var fields in contacts) _contacts.Insert(Guid.CreateVersion7().ToString(), fields);
            _writer.Connection.Execute("COMMIT");
        }
    }

    public void Dispose()
    {
        while (_readers.TryPop(out var reader)) reader.Dispose();
        _contacts.Dispose();
        _writer.Dispose();
    }

    private ContactReader Borrow() => _readers.TryPop(out var reader) ? reader : new ContactReader(_path);
}
