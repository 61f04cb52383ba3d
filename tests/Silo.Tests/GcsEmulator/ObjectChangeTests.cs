using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace Silo.Tests.GcsEmulator;

public sealed class ObjectChangeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Patch_SomeMembers_ChangesThoseAndTheMetageneration()
    {
        await using var emulator = await Emulator.StartAsync();
        var stored = await Emulator.ObjectAsync(await emulator.InsertMultipartAsync(
            """{"name":"x","cacheControl":"no-store","metadata":{"a":"1","b":"2"}}""", [1]));
        var patched = await Emulator.ObjectAsync(await emulator.Http.PatchAsync(
            Emulator.ObjectPath("x"), Json("""{"contentType":"image/png","metadata":{"a":null,"c":"3"}}"""), Cancellation));
        Assert.Equal((stored.Generation, "2", "image/png", "no-store"), (patched.Generation, patched.Metageneration, patched.ContentType, patched.CacheControl));
        Assert.Equal([("b", "2"), ("c", "3")], patched.Metadata!.Select(pair => (pair.Key, pair.Value)).Order());
        Assert.Equal([1], await emulator.ReadAsync("x"));
    }

    [Fact]
    public async Task Put_WholeResource_ReplacesAllMetadata()
    {
        await using var emulator = await Emulator.StartAsync();
        await Emulator.ObjectAsync(await emulator.InsertMultipartAsync("""{"name":"x","cacheControl":"no-store","metadata":{"a":"1"}}""", [1]));
        var updated = await Emulator.ObjectAsync(await emulator.Http.PutAsync(Emulator.ObjectPath("x"), Json("""{"contentType":"a/b"}"""), Cancellation));
        Assert.Equal(("a/b", null, null), (updated.ContentType, updated.CacheControl, updated.Metadata));
    }

    [Fact]
    public async Task Copy_WithAndWithoutMetadata_KeepsOrReplacesIt()
    {
        await using var emulator = await Emulator.StartAsync();
        await Emulator.ObjectAsync(await emulator.InsertMultipartAsync("""{"name":"a/x","metadata":{"k":"v"}}""", "content"u8.ToArray()));
        var kept = await Emulator.ObjectAsync(await emulator.Http.PostAsync(
            $"{Emulator.ObjectPath("a/x")}/copyTo/b/{Emulator.Bucket}/o/b%2Fkept", null, Cancellation));
        Assert.Equal(("b/kept", "v", "text/plain"), (kept.Name, kept.Metadata!["k"], kept.ContentType));
        using var answer = await emulator.Http.PostAsync(
            $"{Emulator.ObjectPath("a/x")}/rewriteTo/b/{Emulator.Bucket}/o/replaced", Json("""{"contentType":"c/d"}"""), Cancellation);
        var rewrite = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
        Assert.True(rewrite.GetProperty("done").GetBoolean());
        Assert.Equal("7", rewrite.GetProperty("objectSize").GetString());
        Assert.False(rewrite.GetProperty("resource").TryGetProperty("metadata", out _));
        Assert.Equal("content"u8.ToArray(), await emulator.ReadAsync("replaced"));
        await emulator.Http.DeleteAsync(Emulator.ObjectPath("a/x"), Cancellation);
        Assert.Equal("content"u8.ToArray(), await emulator.ReadAsync("b/kept"));
    }

    [Theory]
    [InlineData("POST", "/copyTo/b/test-bucket/o/y")]
    [InlineData("PATCH", "")]
    public async Task Change_WithABodyThatIsNoObject_IsRefused(string method, string path)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        using var request = new HttpRequestMessage(new HttpMethod(method), Emulator.ObjectPath("x") + path) { Content = Json("[]") };
        using var answer = await emulator.Http.SendAsync(request, Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Delete_Missing_Is404()
    {
        await using var emulator = await Emulator.StartAsync();
        using var answer = await emulator.Http.DeleteAsync(Emulator.ObjectPath("none") + "?ifGenerationMatch=5", Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Fact]
    public async Task Times_OfObjectAndAnswer_ComeFromOneClock()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2031, 2, 3, 4, 5, 6, TimeSpan.Zero));
        await using var emulator = await Emulator.StartAsync(time);
        var stored = await emulator.PutAsync("x", "1");
        time.Advance(TimeSpan.FromSeconds(90));
        using var answer = await emulator.Http.GetAsync(Emulator.ObjectPath("x"), Cancellation);
        Assert.Equal(TimeSpan.FromSeconds(90), answer.Headers.Date!.Value - stored.Updated);
        var again = await emulator.PutAsync("x", "2");
        Assert.Equal(TimeSpan.FromSeconds(90), again.Updated - stored.Updated);
    }

    [Fact]
    public async Task Generation_WhileTheClockStandsStillOrGoesBack_StillRises()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero)) { AutoAdvanceAmount = TimeSpan.Zero };
        await using var emulator = await Emulator.StartAsync(time);
        var generations = new List<long>();
        for (var number = 0; number < 5; number++) generations.Add(long.Parse((await emulator.PutAsync("x", "1")).Generation));
        await emulator.RestartAsync();
        generations.Add(long.Parse((await emulator.PutAsync("x", "1")).Generation));
        Assert.Equal(generations.Distinct().Order(), generations);
    }

    [Fact]
    public async Task Bucket_CreatedListedDeleted_FollowsGcs()
    {
        await using var emulator = await Emulator.StartAsync();
        Assert.Equal(HttpStatusCode.OK, await CreateAsync(emulator, "second.bucket_1"));
        Assert.Equal(HttpStatusCode.Conflict, await CreateAsync(emulator, "second.bucket_1"));
        foreach (var bad in new[] { "", "ab", "A-b", "../x", "a..b", "-ab", "a/b/c" }) Assert.Equal(HttpStatusCode.BadRequest, await CreateAsync(emulator, bad));
        await emulator.RestartAsync();
        var listed = await emulator.Http.GetFromJsonAsync<JsonElement>("storage/v1/b?project=p", Cancellation);
        Assert.Equal(["second.bucket_1", Emulator.Bucket], listed.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("name").GetString()!));
        await emulator.PutAsync("x", "1");
        Assert.Equal(HttpStatusCode.Conflict, await DeleteAsync(emulator, Emulator.Bucket));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await DeleteAsync(emulator, "second.bucket_1?ifMetagenerationMatch=7"));
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(emulator, "second.bucket_1"));
        Assert.Equal(HttpStatusCode.NotFound, await DeleteAsync(emulator, "second.bucket_1"));
        Assert.Equal(HttpStatusCode.OK, await CreateAsync(emulator, "second.bucket_1"));
    }

    private static async Task<HttpStatusCode> CreateAsync(Emulator emulator, string name)
    {
        using var answer = await emulator.Http.PostAsync("storage/v1/b?project=p", JsonContent.Create(new { name }), Cancellation);
        return answer.StatusCode;
    }

    private static async Task<HttpStatusCode> DeleteAsync(Emulator emulator, string bucket)
    {
        using var answer = await emulator.Http.DeleteAsync($"storage/v1/b/{bucket}", Cancellation);
        return answer.StatusCode;
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");
}
