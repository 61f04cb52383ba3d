using System.Text;
using Silo.Contracts;

namespace Silo.Storage.Contacts;

/// <summary>Puts a page around rows that are JSON already.</summary>
internal static class ContactPage
{
    private static ReadOnlySpan<byte> Opening => "{\"items\":"u8;

    private static ReadOnlySpan<byte> Last => ",\"nextCursor\":null}"u8;

    public static JsonBytes Write(ReadOnlySpan<byte> items, string? nextCursor)
    {
        var closing = nextCursor is not null ? Encoding.UTF8.GetBytes($",\"nextCursor\":\"{nextCursor}\"}}") : Last;
        var page = GC.AllocateUninitializedArray<byte>(Opening.Length + items.Length + closing.Length);
        Opening.CopyTo(page);
        items.CopyTo(page.AsSpan(Opening.Length));
        closing.CopyTo(page.AsSpan(Opening.Length + items.Length));
        return new JsonBytes(page);
    }
}
