using System.Text;

namespace Silo.GcsEmulator.Store;

/// <summary>What a name may be, and the order of names: that of their UTF-8 bytes, as in GCS.</summary>
internal static class ObjectName
{
    /// <summary>The longest name, in UTF-8 bytes.</summary>
    public const int MaxBytes = 1024;

    /// <summary>Compares as the UTF-8 bytes would, without encoding.</summary>
    public static readonly IComparer<string> Order = Comparer<string>.Create(Compare);

    /// <summary>Accepts every well-formed name of 1 to 1024 bytes without line breaks, except <c>.</c> and <c>..</c>.</summary>
    public static string Require(string? name)
    {
        if (string.IsNullOrEmpty(name)) throw GcsRefusal.Required("name");
        if (Encoding.UTF8.GetByteCount(name) > MaxBytes) throw GcsRefusal.Invalid($"The object name is longer than {MaxBytes} bytes.");
        if (name is "." or ".." || name.AsSpan().ContainsAny('\r', '\n')) throw GcsRefusal.Invalid("Invalid object name.");
        return name;
    }

    /// <summary>The smallest text above every text that begins with <paramref name="prefix"/>; null when there is none.</summary>
    public static string? AfterAll(string prefix)
    {
        var end = prefix.Length;
        while (end > 0)
        {
            Rune.DecodeLastFromUtf16(prefix.AsSpan(0, end), out var last, out var length);
            end -= length;
            if (last.Value == 0x10FFFF) continue;
            var next = new Rune(last.Value == 0xD7FF ? 0xE000 : last.Value + 1);
            return string.Concat(prefix.AsSpan(0, end), next.ToString());
        }
        return null;
    }

    private static int Compare(string? left, string? right)
    {
        var a = left.AsSpan();
        var b = right.AsSpan();
        var same = a.CommonPrefixLength(b);
        if (same == a.Length || same == b.Length) return a.Length - b.Length;
        // Surrogates stand for code points above the whole basic plane, yet their values lie below its last 8192.
        var (x, y) = (a[same], b[same]);
        if (char.IsSurrogate(x) != char.IsSurrogate(y)) return char.IsSurrogate(x) ? 1 : -1;
        return x - y;
    }
}
