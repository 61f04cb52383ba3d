using System.Text;
using CsCheck;
using Silo.GcsEmulator.Store;

namespace Silo.Tests.GcsEmulator;

public sealed class ListingTests
{
    private static readonly Gen<string> Name =
        Pick("a", "b", "/", "é", "\uFFFD", "😀", "\U0010FFFF").Array[1, 5].Select(string.Concat);

    private static readonly Gen<string> MaybeName = Gen.OneOf(Gen.Const(""), Name);

    private static readonly Gen<ListQuery> Query =
        from prefix in MaybeName
        from delimiter in Pick("", "/", "é/", "\U0010FFFF")
        from start in MaybeName
        from end in MaybeName
        from max in Gen.Int[1, 5]
        from trailing in Gen.Bool
        select new ListQuery(prefix, delimiter, start, end, "", max, trailing);

    [Fact]
    public void List_AllPages_AreWhatTheModelSays() =>
        Gen.Select(Name.Array[0, 40], Query).Sample((names, query) =>
        {
            var index = new ObjectIndex();
            foreach (var name in names) index.Put(Item(name));

            var objects = new List<string>();
            var prefixes = new List<string>();
            string? token = "";
            while (token is not null)
            {
                var page = index.List(query with { PageToken = token });
                if (!query.IncludeTrailingDelimiter) Assert.InRange(page.Objects.Count + page.Prefixes.Count, 0, query.MaxResults);
                objects.AddRange(page.Objects.Select(item => item.Name));
                prefixes.AddRange(page.Prefixes);
                token = page.NextPageToken;
            }
            var (expectedObjects, expectedPrefixes) = Model(names, query);
            Assert.Equal(expectedObjects, objects);
            Assert.Equal(expectedPrefixes, prefixes);
        });

    [Fact]
    public void Order_OfNames_IsThatOfTheirBytes() => Gen.Select(Name, Name).Sample((left, right) =>
        Math.Sign(ObjectName.Order.Compare(left, right)) == Math.Sign(ByteOrder(left, right)));

    [Fact]
    public void AfterAll_OfAPrefix_IsAboveItAndBelowWhatComesNext() => Gen.Select(Name, Name).Sample((prefix, name) =>
    {
        var after = ObjectName.AfterAll(prefix);
        var below = after is null || ByteOrder(name, after) < 0;
        return (after is null || ByteOrder(prefix + "\U0010FFFF\U0010FFFF", after) < 0)
            && below == (ByteOrder(name, prefix) < 0 || name.StartsWith(prefix, StringComparison.Ordinal));
    });

    [Fact]
    public void List_HundredThousandObjects_PagesThroughAllOfThem()
    {
        var index = new ObjectIndex();
        for (var number = 0; number < 100_000; number++) index.Put(Item($"org-{number / 100:D4}/wal/{number % 100:D8}"));
        var seen = 0;
        string? token = "";
        while (token is not null)
        {
            var page = index.List(new ListQuery(PageToken: token));
            seen += page.Objects.Count;
            token = page.NextPageToken;
        }
        Assert.Equal(100_000, seen);
        Assert.Equal(1_000, index.List(new ListQuery(Delimiter: "/")).Prefixes.Count);
        Assert.Equal(100, index.List(new ListQuery("org-0500/")).Objects.Count);
    }

    [Fact]
    public async Task List_OverHttp_PagesAndRollsUp()
    {
        await using var emulator = await Emulator.StartAsync();
        foreach (var name in new[] { "a/1", "a/2", "b", "c/1", "d" }) await emulator.PutAsync(name, name);
        var first = await emulator.ListAsync("delimiter=/&maxResults=3&projection=noAcl&fields=items(name),prefixes&versions=false&matchGlob=");
        Assert.Equal(["b"], first.Names);
        Assert.Equal(["a/", "c/"], first.Prefixes!);
        var second = await emulator.ListAsync("delimiter=/&maxResults=3&pageToken=" + first.NextPageToken);
        Assert.Equal(["d"], second.Names);
        Assert.Null(second.NextPageToken);
        Assert.Equal(["a/2", "b"], (await emulator.ListAsync("startOffset=a/2&endOffset=c")).Names);
        Assert.Empty((await emulator.ListAsync("prefix=zzz")).Names);
    }

    [Theory]
    [InlineData("maxResults=0")]
    [InlineData("maxResults=x")]
    [InlineData("pageToken=%21")]
    [InlineData("matchGlob=**")]
    public async Task List_WhatItCannotDo_Is400(string query)
    {
        await using var emulator = await Emulator.StartAsync();
        using var answer = await emulator.Http.GetAsync($"{Emulator.ObjectsPath}?{query}", TestContext.Current.CancellationToken);
        Assert.Equal(400, (int)answer.StatusCode);
    }

    private static (List<string> Objects, List<string> Prefixes) Model(string[] names, ListQuery query)
    {
        var objects = new List<string>();
        var prefixes = new List<string>();
        var listed = names.Distinct()
            .Where(name => name.StartsWith(query.Prefix, StringComparison.Ordinal))
            .Where(name => ByteOrder(name, query.StartOffset) >= 0 && (query.EndOffset == "" || ByteOrder(name, query.EndOffset) < 0))
            .Order(Comparer<string>.Create(ByteOrder));
        foreach (var name in listed)
        {
            var at = query.Delimiter == "" ? -1 : name.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            var prefix = at < 0 ? null : name[..(at + query.Delimiter.Length)];
            if (prefix is not null && !prefixes.Contains(prefix)) prefixes.Add(prefix);
            if (prefix is null || (query.IncludeTrailingDelimiter && prefix == name)) objects.Add(name);
        }
        return (objects, prefixes);
    }

    private static int ByteOrder(string left, string right) => Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right));

    private static Gen<string> Pick(params string[] choices) => Gen.Int[0, choices.Length - 1].Select(at => choices[at]);

    private static StoredObject Item(string name) => new()
    {
        Name = name,
        Generation = 1,
        Metageneration = 1,
        Content = 1,
        Size = 0,
        Crc32c = 0,
        Md5 = "",
        Created = default,
        Updated = default,
        Metadata = ObjectMetadata.None,
    };
}
