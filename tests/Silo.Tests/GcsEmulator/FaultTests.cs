using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Silo.GcsEmulator.Faults;
using Silo.GcsEmulator.Http;

namespace Silo.Tests.GcsEmulator;

public sealed class FaultTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(403, "forbidden")]
    [InlineData(412, "conditionNotMet")]
    [InlineData(429, "rateLimitExceeded")]
    [InlineData(500, "backendError")]
    [InlineData(503, "backendError")]
    public async Task Status_ForTwoRequests_IsAnsweredTwiceAndNothingIsDone(int status, string reason)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync($$"""[{"method":"POST","namePrefix":"a/","action":"status","status":{{status}},"count":2}]""");
        await emulator.PutAsync("b/x", "1");
        for (var number = 0; number < 2; number++)
        {
            using var refused = await emulator.InsertMultipartAsync("""{"name":"a/x"}""", new byte[300_000]);
            Assert.Equal(status, (int)refused.StatusCode);
            var error = await refused.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
            Assert.Equal(reason, error.GetProperty("error").GetProperty("errors")[0].GetProperty("reason").GetString());
        }
        Assert.Equal(["b/x"], (await emulator.ListAsync()).Names);
        await emulator.PutAsync("a/x", "1");
    }

    [Theory]
    [InlineData("GET", "b/test-bucket/o?prefix=a/1", "listObjects")]
    [InlineData("GET", "b/test-bucket/o/a%2F1", "getObject")]
    [InlineData("GET", "b/test-bucket/o/a%2F1?alt=media", "getMedia")]
    [InlineData("DELETE", "b/test-bucket/o/a%2F1", "deleteObject")]
    [InlineData("POST", "b/test-bucket/o/x/copyTo/b/test-bucket/o/a%2F1", "copyObject")]
    public async Task Status_ByVerbKindOrAll_HitsTheNamedOnly(string verb, string path, string kind)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "1");
        foreach (var method in new[] { $"\"{verb}\"", $"\"{kind}\"", "\"*\"", "null" })
        {
            await emulator.SetFaultsAsync($$"""[{"method":{{method}},"namePrefix":"a/","action":"status","status":503}]""");
            using var hit = await emulator.Http.SendAsync(new HttpRequestMessage(new HttpMethod(verb), "storage/v1/" + path), Cancellation);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, hit.StatusCode);
            using var spared = await emulator.Http.GetAsync(Emulator.ObjectPath("x"), Cancellation);
            Assert.Equal(HttpStatusCode.OK, spared.StatusCode);
        }
    }

    [Fact]
    public async Task Status_OnPiecesOfAnUpload_HitsByTheSessionsName()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("a/x");
        await emulator.SetFaultsAsync("""[{"method":"PUT","namePrefix":"a/","action":"status","status":403,"count":1}]""");
        using var refused = await emulator.SendPieceAsync(session, "bytes 0-0/1", [1]);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 0-0/1", [1]));
    }

    [Fact]
    public async Task Drop_CutsTheConnectionAndDoesNothing()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"drop","method":"POST","count":1}]""");
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => emulator.InsertAsync("x", [1]));
        Assert.Empty((await emulator.ListAsync()).Names);
    }

    [Fact]
    public async Task Drop_AfterBytesOfAnAnswer_SendsExactlyThose()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", new byte[500_000]);
        await emulator.SetFaultsAsync("""[{"action":"drop","method":"getMedia","afterBytes":123456}]""");
        using var answer = await emulator.Http.GetAsync(Emulator.XmlPath("x"), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(500_000, answer.Content.Headers.ContentLength);
        await using var body = await answer.Content.ReadAsStreamAsync(Cancellation);
        var received = 0;
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            var buffer = new byte[10_000];
            int read;
            while ((read = await body.ReadAsync(buffer, Cancellation)) > 0) received += read;
        });
        Assert.InRange(received, 0, 123_456); // a cut may overtake what is still on its way
    }

    [Theory]
    [InlineData(false, 1_000_000, 100_000)]
    [InlineData(true, 1_000_000, 100_000)]
    [InlineData(false, 1_000, 200)]
    [InlineData(true, 1_000, 200)]
    [InlineData(true, 1_000, 0)]
    public async Task Drop_AfterBytesOfAnInsert_StoresNothing(bool multipart, int bytes, int afterBytes)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync($$"""[{"action":"drop","method":"insertObject","afterBytes":{{afterBytes}}}]""");
        await Assert.ThrowsAnyAsync<HttpRequestException>(() =>
            multipart ? emulator.InsertMultipartAsync("""{"name":"x"}""", new byte[bytes]) : emulator.InsertAsync("x", new byte[bytes]));
        Assert.Empty((await emulator.ListAsync()).Names);
        Assert.Equal(1, (await emulator.StatisticsAsync()).GetProperty("faults").GetInt32());
        // The client may know of the cut before what came until then is deleted.
        await Eventually.IsAsync(() => Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")).Length == 0, "no content is left");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Drop_AfterMoreBytesThanThereAre_StoresTheObject(bool multipart)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"drop","method":"insertObject","afterBytes":5000}]""");
        var content = new byte[4_000];
        await Emulator.ObjectAsync(multipart ? await emulator.InsertMultipartAsync("""{"name":"x"}""", content) : await emulator.InsertAsync("x", content));
        Assert.Equal(content, await emulator.ReadAsync("x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"status\":503")]
    public async Task LoseAnswer_DoesItAndTellsTheClientOtherwise(string status)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync($$"""[{"action":"loseAnswer","namePrefix":"x","count":1{{status}}}]""");
        if (status == "")
        {
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => emulator.InsertAsync("x", "done"u8.ToArray(), "ifGenerationMatch=0"));
        }
        else
        {
            using var lost = await emulator.InsertAsync("x", "done"u8.ToArray(), "ifGenerationMatch=0");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, lost.StatusCode);
        }
        Assert.Equal("done"u8.ToArray(), await emulator.ReadAsync("x"));
        using var again = await emulator.InsertAsync("x", "again"u8.ToArray(), "ifGenerationMatch=0");
        Assert.Equal(HttpStatusCode.PreconditionFailed, again.StatusCode);
    }

    [Fact]
    public async Task Delay_OnTheEmulatorsClock_HoldsTheRequestUntilItIsOver()
    {
        var time = new FakeTimeProvider();
        await using var emulator = await Emulator.StartAsync(time);
        await emulator.SetFaultsAsync("""[{"action":"delay","delayMs":60000,"method":"POST","count":1}]""");
        var insert = emulator.InsertAsync("x", [1]);
        await UntilFiredAsync(emulator);
        Assert.False(insert.IsCompleted);
        await Eventually.IsAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(60)); // the request may not have begun to wait yet
                return insert.IsCompleted;
            }, "the request is answered");
        using var answer = await insert;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Delay_BeforeAnotherFault_AddsToIt()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"delay","delayMs":1},{"action":"status","status":429}]""");
        using var answer = await emulator.InsertAsync("x", [1]);
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
    }

    [Fact]
    public async Task Stall_UntilThePlanIsDeleted_ThenCutsTheConnection()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"stall","namePrefix":"x"}]""");
        var insert = emulator.InsertAsync("x", [1]);
        await UntilFiredAsync(emulator);
        Assert.False(insert.IsCompleted);
        using var deleted = await emulator.Http.DeleteAsync("_emulator/faults", Cancellation);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => insert);
        Assert.Empty((await emulator.ListAsync()).Names);
    }

    [Fact]
    public async Task Stall_WhenTheServerStops_LetsGo()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"stall","namePrefix":"x"}]""");
        var insert = emulator.InsertAsync("x", [1]);
        await UntilFiredAsync(emulator);
        await emulator.RestartAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => insert);
    }

    [Fact]
    public async Task Late_IsCarriedOutThoughTheClientHasGone_OverWhatCameMeanwhile()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"late","namePrefix":"x","count":1}]""");
        using (var gone = new HttpClient { BaseAddress = emulator.Http.BaseAddress })
        {
            var insert = gone.PostAsync($"upload/storage/v1/b/{Emulator.Bucket}/o?uploadType=media&name=x", new ByteArrayContent("late"u8.ToArray()), Cancellation);
            await Eventually.GetAsync(async () => (await emulator.StatisticsAsync()).GetProperty("receivedBytes").GetInt64() == 4 ? "yes" : null, "it was taken");
            gone.CancelPendingRequests();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => insert);
        }
        using var meanwhile = await emulator.InsertAsync("x", "meanwhile"u8.ToArray());
        Assert.Equal("meanwhile"u8.ToArray(), await emulator.ReadAsync("x"));

        using var deleted = await emulator.Http.DeleteAsync("_emulator/faults", Cancellation);

        await Eventually.GetAsync(async () => (await emulator.ReadAsync("x")).AsSpan().SequenceEqual("late"u8) ? "yes" : null, "it was carried out");
    }

    [Fact]
    public void Duration_WhenItIsOver_EndsTheFault()
    {
        var time = new FakeTimeProvider();
        using var plan = new FaultPlan(time);
        plan.Replace([new Fault { Action = FaultAction.Drop, DurationMs = 1_000 }]);
        Assert.NotNull(plan.Decide("GET", RequestKind.GetMedia, "x").Fault);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(plan.Decide("GET", RequestKind.GetMedia, "x").Fault);
    }

    [Fact]
    public void Probability_WithTheSameSeed_HitsTheSameRequests()
    {
        bool[] Run(int seed)
        {
            using var plan = new FaultPlan(TimeProvider.System);
            plan.Replace([new Fault { Action = FaultAction.Drop, Probability = 0.3, Seed = seed }]);
            return [.. Enumerable.Range(0, 1_000).Select(_ => plan.Decide("GET", RequestKind.GetMedia, "x").Fault is not null)];
        }
        Assert.Equal(Run(7), Run(7));
        Assert.NotEqual(Run(7), Run(8));
        Assert.InRange(Run(7).Count(hit => hit), 200, 400);
    }

    [Theory]
    [InlineData("""{}""", "array")]
    [InlineData("""[{}]""", "action")]
    [InlineData("""[{"action":"explode"}]""", "action")]
    [InlineData("""[{"action":"drop","typo":1}]""", "typo")]
    [InlineData("""[{"action":"drop"},{"action":"delay"}]""", "Fault 1: 'delay' needs 'delayMs'")]
    [InlineData("""[{"action":"delay","delayMs":-1}]""", "delayMs")]
    [InlineData("""[{"action":"status"}]""", "status")]
    [InlineData("""[{"action":"status","status":200}]""", "400 to 599")]
    [InlineData("""[{"action":"drop","status":500}]""", "status")]
    [InlineData("""[{"action":"drop","count":0}]""", "count")]
    [InlineData("""[{"action":"drop","probability":1.5}]""", "probability")]
    [InlineData("""[{"action":"drop","seed":1}]""", "seed")]
    [InlineData("""[{"action":"drop","method":"FETCH"}]""", "FETCH")]
    [InlineData("""[{"action":"stall","afterBytes":5}]""", "afterBytes")]
    [InlineData("""[null]""", "null")]
    [InlineData("""nonsense""", "JSON")]
    public async Task Plan_Bad_Is400AndTheOldOneStays(string plan, string complaint)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.SetFaultsAsync("""[{"action":"delay","delayMs":0}]""");
        using var answer = await emulator.TrySetFaultsAsync(plan);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
        Assert.Contains(complaint, error.GetProperty("error").GetProperty("message").GetString());
        var kept = await emulator.Http.GetFromJsonAsync<JsonElement>("_emulator/faults", Cancellation);
        Assert.Equal("delay", kept[0].GetProperty("action").GetString());
    }

    [Fact]
    public async Task Statistics_CountRequestsByKindBytesAndObjects()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "12345");
        await emulator.ReadAsync("x");
        await emulator.ReadAsync("x");
        var statistics = await emulator.StatisticsAsync();
        Assert.Equal(1, statistics.GetProperty("requests").GetProperty("insertObject").GetInt32());
        Assert.Equal(2, statistics.GetProperty("requests").GetProperty("getMedia").GetInt32());
        Assert.Equal((5, 10, 1, 5), (
            statistics.GetProperty("receivedBytes").GetInt32(), statistics.GetProperty("sentBytes").GetInt32(),
            statistics.GetProperty("objects").GetInt32(), statistics.GetProperty("storedBytes").GetInt32()));
    }

    private static async Task UntilFiredAsync(Emulator emulator)
    {
        while ((await emulator.StatisticsAsync()).GetProperty("faults").GetInt32() == 0) await Task.Yield();
    }
}
