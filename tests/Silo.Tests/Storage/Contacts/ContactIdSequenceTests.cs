using Silo.Storage.Contacts;

namespace Silo.Tests.Storage.Contacts;

public sealed class ContactIdSequenceTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 20, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Next_IsAUuidOfVersion7WithTheTime()
    {
        var id = Guid.Parse(new ContactIdSequence().Next(Now));
        Assert.Equal(7, id.Version);
        Assert.Equal(0b10, id.Variant >> 2);
        Assert.Equal(Now.ToUnixTimeMilliseconds(), Convert.ToInt64(id.ToString("n")[..12], 16));
    }

    [Fact]
    public void Next_WithinOneMillisecondAndAcrossAStepBack_Rises()
    {
        var sequence = new ContactIdSequence();
        var ids = new List<string>();
        for (var i = 0; i < 20_000; i++) ids.Add(sequence.Next(i < 10_000 ? Now : Now.AddHours(-1)));
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }
}
