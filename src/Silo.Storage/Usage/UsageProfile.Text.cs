using System.Buffers.Text;

namespace Silo.Storage.Usage;

public sealed partial class UsageProfile
{
    private const byte Version = 1;

    /// <summary>The most characters of <see cref="ToText"/>.</summary>
    public const int MaxTextLength = 2_000;

    /// <summary>All of it as text, about 1,100 characters; rounded to what a byte or two tell apart.</summary>
    public string ToText()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(Version);
        writer.Write(_firstHour);
        writer.Write(LastUse is { } last ? last.ToUnixTimeMilliseconds() : 0);
        writer.Write(Rank);
        for (var slot = 0; slot < Hours; slot++)
        {
            writer.Write(ToByte(_used[slot]));
            writer.Write(ToByte(_arrivals[slot].Share));
            writer.Write((sbyte)Math.Clamp(Math.Round(_arrivals[slot].Minute), -60, 120));
            writer.Write((byte)Math.Clamp(Math.Round(_arrivals[slot].Deviation * 8), 0, 255));
        }
        foreach (var count in Pauses.Counts) writer.Write((ushort)Math.Clamp(Math.Round(count * 128), 0, ushort.MaxValue));
        return Convert.ToBase64String(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    /// <summary>What <see cref="ToText"/> wrote; null for anything else, such as what another version wrote.</summary>
    public static UsageProfile? TryParse(string text)
    {
        if (text.Length > MaxTextLength || !Base64.IsValid(text, out var length)) return null;
        var profile = new UsageProfile();
        using var reader = new BinaryReader(new MemoryStream(Convert.FromBase64String(text)));
        if (length != Length || reader.ReadByte() != Version) return null;
        profile._firstHour = reader.ReadInt64();
        var last = reader.ReadInt64();
        if (last is < 0 or > LatestMilliseconds) return null;
        profile.LastUse = last == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(last);
        profile.Rank = reader.ReadDouble();
        for (var slot = 0; slot < Hours; slot++)
        {
            profile._used[slot] = reader.ReadByte() / 255.0;
            profile._arrivals[slot] = new Arrival(reader.ReadByte() / 255.0, reader.ReadSByte(), reader.ReadByte() / 8.0);
        }
        for (var bin = 0; bin < profile.Pauses.Counts.Count; bin++) profile.Pauses.Set(bin, reader.ReadUInt16() / 128.0);
        return profile;
    }

    /// <summary>The year 9999.</summary>
    private const long LatestMilliseconds = 253_370_764_800_000;

    private static readonly int Length = 1 + (3 * 8) + (Hours * 4) + (new PauseLengths().Counts.Count * 2);

    private static byte ToByte(double share) => (byte)Math.Clamp(Math.Round(share * 255), 0, 255);
}
