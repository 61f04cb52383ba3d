using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Contacts;

namespace Silo.Tests.Storage.Contacts;

/// <summary>What is kept of reads, and for how long.</summary>
public sealed class ContactCacheTests
{
    private static readonly ContactListQuery First = new(50, null, null);

    private readonly ContactCache _cache = new(1 << 20);

    private static JsonBytes Answer(int bytes = 10) => new(new byte[bytes]);

    [Fact]
    public void Write_DropsPagesTheCountAndItsContact_AndNoOther()
    {
        var begun = _cache.Begin();
        _cache.Keep(begun, "a", Answer());
        _cache.Keep(begun, "b", Answer());
        _cache.Keep(begun, First, Answer());
        _cache.KeepCount(begun, Answer());
        Assert.Equal((true, true, true, true), Kept());

        using (_cache.BeginChange(["a"])) Assert.Equal((false, true, false, false), Kept());
        Assert.Equal((false, true, false, false), Kept());

        _cache.BeginChange(null).Dispose(); // an import
        Assert.Equal((false, false, false, false), Kept());
    }

    [Fact]
    public void Read_ThatAWriteOverlaps_IsNotKept()
    {
        var before = _cache.Begin();
        long during;
        using (_cache.BeginChange([]))
        {
            during = _cache.Begin();
            _cache.Keep(before, "a", Answer());
            _cache.Keep(during, First, Answer());
        }
        _cache.Keep(during, "a", Answer());
        _cache.KeepCount(before, Answer());
        Assert.Equal((false, false, false, false), Kept());

        _cache.Keep(_cache.Begin(), "a", Answer());
        Assert.Equal((true, false, false, false), Kept());
    }

    [Fact]
    public void Contact_ThatIsNotThere_IsNotKept()
    {
        _cache.Keep(_cache.Begin(), "a", default);
        Assert.False(_cache.TryGet("a", out _));
    }

    [Fact]
    public void Closed_KeepsNothing()
    {
        _cache.Keep(_cache.Begin(), "a", Answer());
        _cache.Close();
        _cache.Keep(_cache.Begin(), First, Answer());
        Assert.Equal((false, false, false, false), Kept());
    }

    [Fact]
    public void Zero_KeepsNothing()
    {
        var none = new ContactCache(0);
        none.Keep(none.Begin(), "a", Answer());
        none.KeepCount(none.Begin(), Answer());
        Assert.Equal((false, false), (none.TryGet("a", out _), none.TryGetCount(out _)));
    }

    [Fact]
    public void RecentAnswers_OfAnySizes_NeverTakeMoreThanTheirRoom_AndStayWhileTheyAreAskedFor()
    {
        const int Room = 100_000;
        var answers = new RecentAnswers<string>(Room, id => id.Length);
        answers.Add("asked", Answer());
        var random = new Random(1);
        for (var i = 0; i < 5_000; i++)
        {
            answers.Add($"{random.Next(2_000)}", Answer(random.Next(3_000)));
            if (random.Next(3) == 0) answers.Remove($"{random.Next(2_000)}");
            Assert.InRange(answers.Bytes, 0, Room);
            Assert.True(answers.TryGet("asked", out _), $"gone after {i}");
        }
        answers.Add("too large", Answer(Room / 2));
        Assert.False(answers.TryGet("too large", out _));
        for (var i = 0; i < 2_000; i++) answers.Remove($"{i}");
        answers.Remove("asked");
        Assert.Equal(0, answers.Bytes);
    }

    private (bool A, bool B, bool Page, bool Count) Kept() =>
        (_cache.TryGet("a", out _), _cache.TryGet("b", out _), _cache.TryGet(First, out _), _cache.TryGetCount(out _));
}
