using System.Net;
using System.Text.RegularExpressions;
using CsCheck;
using Microsoft.Extensions.Time.Testing;

namespace Silo.Tests.GcsEmulator;

public sealed partial class ResumableUploadTests
{
    [GeneratedRegex("\"Content\":[0-9]+")]
    private static partial Regex Content();

    [Fact]
    public async Task Upload_InPiecesOfAnySize_KeepsEveryByte()
    {
        await using var emulator = await Emulator.StartAsync();
        var pieces = Gen.Byte.Array[0, 5_000].Array[1, 8];
        await pieces.SampleAsync(async parts =>
        {
            var whole = parts.SelectMany(part => part).ToArray();
            var session = await emulator.BeginResumableAsync("odd");
            var sent = 0;
            foreach (var part in parts.Where(part => part.Length > 0))
            {
                using var answer = await emulator.SendPieceAsync(session, $"bytes {sent}-{sent + part.Length - 1}/*", part);
                sent += part.Length;
                Assert.Equal(HttpStatusCode.PermanentRedirect, answer.StatusCode);
                Assert.Equal($"bytes=0-{sent - 1}", answer.Headers.GetValues("Range").Single());
            }
            var stored = await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, $"bytes */{sent}", []));
            Assert.Equal(whole.Length.ToString(), stored.Size);
            Assert.Equal(whole, await emulator.ReadAsync("odd"));
        }, iter: 25, threads: 1);
    }

    [Fact]
    public async Task Upload_LastPieceWithTotal_MakesTheObject()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x", metadata: """{"contentType":"text/x","metadata":{"k":"v"}}""");
        using var first = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray());
        Assert.Empty((await emulator.ListAsync()).Names);
        var stored = await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 3-4/5", "de"u8.ToArray()));
        Assert.Equal(("5", "text/x", "v"), (stored.Size, stored.ContentType, stored.Metadata!["k"]));
        Assert.Equal("abcde"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Theory]
    [InlineData("bytes 0-*/*")]
    [InlineData("bytes 0-4/5")]
    [InlineData("")]
    public async Task Upload_EverythingAtOnce_MakesTheObject(string contentRange)
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        Assert.Equal("5", (await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, contentRange, "abcde"u8.ToArray()))).Size);
    }

    [Fact]
    public async Task Upload_PieceSentAgain_IsNotDoubled()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var first = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray());
        await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 1-4/5", "bcde"u8.ToArray()));
        Assert.Equal("abcde"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Theory]
    [InlineData("bytes 4-5/6")]
    [InlineData("bytes 3-9/6")]
    [InlineData("bytes 5-3/*")]
    [InlineData("octets 0-1/2")]
    [InlineData("bytes 3-3/*")]
    public async Task Upload_ImpossiblePiece_IsRefused(string contentRange)
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var first = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray());
        using var answer = await emulator.SendPieceAsync(session, contentRange, "zz"u8.ToArray());
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Theory]
    [InlineData("bytes 0-2/*", false)]
    [InlineData("bytes 0-2/*", true)]
    [InlineData("bytes 0-*/3", false)]
    [InlineData("bytes 0-*/3", true)]
    public async Task Upload_PieceLongerThanItsRange_KeepsNothingBeyond(string contentRange, bool lengthUnknown)
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var refused = await emulator.SendPieceAsync(session, contentRange, "abcGARBAGE"u8.ToArray(), lengthUnknown ? [("Transfer-Encoding", "chunked")] : []);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using var asked = await emulator.SendPieceAsync(session, "bytes */*", []);
        var received = asked.Headers.TryGetValues("Range", out var range) ? int.Parse(range.Single()["bytes=0-".Length..]) + 1 : 0;
        Assert.InRange(received, 0, 3);
        await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, $"bytes {received}-9/10", "abcdefghij"u8.ToArray()[received..]));
        Assert.Equal("abcdefghij"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Fact]
    public async Task Upload_PieceSentAgainThatEndsEarlier_ChangesNothing()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var first = await emulator.SendPieceAsync(session, "bytes 0-4/*", "abcde"u8.ToArray());
        using var again = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray());
        Assert.Equal("bytes=0-4", again.Headers.GetValues("Range").Single());
    }

    [Fact]
    public async Task Upload_GoClientAsksForNo308_GetsOverride()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var answer = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray(), ("X-GUploader-No-308", "yes"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("308", answer.Headers.GetValues("X-Http-Status-Code-Override").Single());
        Assert.Equal("bytes=0-2", answer.Headers.GetValues("Range").Single());
    }

    [Fact]
    public async Task Upload_AskedAgainAfterItsEnd_AnswersTheObject()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        var stored = await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 0-2/3", "abc"u8.ToArray()));
        var again = await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes */3", []));
        Assert.Equal(stored.Generation, again.Generation);
    }

    [Fact]
    public async Task Upload_ConditionLostMeanwhile_IsRefusedAtItsEnd()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x", "ifGenerationMatch=0");
        await emulator.PutAsync("x", "other");
        using var answer = await emulator.SendPieceAsync(session, "bytes 0-2/3", "abc"u8.ToArray());
        Assert.Equal(HttpStatusCode.PreconditionFailed, answer.StatusCode);
        Assert.Equal("other"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Fact]
    public async Task Upload_WrongChecksumHeaderOnLastPiece_IsRefused()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var answer = await emulator.SendPieceAsync(session, "bytes 0-2/3", "abc"u8.ToArray(), ("x-goog-hash", "crc32c=AAAAAA=="));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Empty((await emulator.ListAsync()).Names);
    }

    [Fact]
    public async Task Upload_Cancelled_IsGone()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var cancelled = await emulator.Http.DeleteAsync(session, TestContext.Current.CancellationToken);
        Assert.Equal(499, (int)cancelled.StatusCode);
        using var answer = await emulator.SendPieceAsync(session, "bytes 0-2/3", "abc"u8.ToArray());
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")));
    }

    [Fact]
    public async Task Upload_CancelledAfterARestart_LeavesNothing()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        await emulator.RestartAsync();
        using var cancelled = await emulator.Http.DeleteAsync(session, TestContext.Current.CancellationToken);
        Assert.Equal(499, (int)cancelled.StatusCode);
        AssertNothingIsLeft(emulator);
    }

    [Fact]
    public async Task Upload_CancelledAfterItsEnd_LeavesTheObject()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 0-2/3", "abc"u8.ToArray()));
        using var cancelled = await emulator.Http.DeleteAsync(session, TestContext.Current.CancellationToken);
        Assert.Equal("abc"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Upload_AbandonedForAWeek_IsForgotten(bool restart)
    {
        var time = new FakeTimeProvider();
        await using var emulator = await Emulator.StartAsync(time);
        var session = await emulator.BeginResumableAsync("x");
        time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        if (restart) await emulator.RestartAsync();
        using var asked = await emulator.SendPieceAsync(session, "bytes */*", []);
        Assert.Equal(HttpStatusCode.PermanentRedirect, asked.StatusCode);

        time.Advance(TimeSpan.FromSeconds(1));
        if (restart) await emulator.RestartAsync();
        using var late = await emulator.SendPieceAsync(session, "bytes */*", []);
        Assert.Equal(HttpStatusCode.NotFound, late.StatusCode);
        AssertNothingIsLeft(emulator);
    }

    [Fact]
    public async Task Upload_AbandonedForAWeek_GoesWhenTheNextBegins()
    {
        var time = new FakeTimeProvider();
        await using var emulator = await Emulator.StartAsync(time);
        await emulator.BeginResumableAsync("x");
        time.Advance(TimeSpan.FromDays(7));
        var next = await emulator.BeginResumableAsync("y");
        using var cancelled = await emulator.Http.DeleteAsync(next, TestContext.Current.CancellationToken);
        AssertNothingIsLeft(emulator);
    }

    [Fact]
    public async Task Upload_ThatCannotBeWrittenDown_LeavesNothing()
    {
        await using var emulator = await Emulator.StartAsync();
        var sessions = Path.Combine(emulator.Folder, "sessions");
        Directory.Delete(sessions);
        using var answer = await emulator.Http.PostAsync(
            $"upload/{Emulator.ObjectsPath}?uploadType=resumable&name=x", new StringContent("{}"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Directory.CreateDirectory(sessions);
        AssertNothingIsLeft(emulator);
    }

    private static void AssertNothingIsLeft(Emulator emulator)
    {
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")));
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.Folder, "sessions")));
    }

    [Fact]
    public async Task Upload_RestartInTheMiddle_GoesOn()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x", "ifGenerationMatch=0", """{"metadata":{"k":"v"}}""");
        using var first = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray());
        await emulator.RestartAsync();
        using var asked = await emulator.SendPieceAsync(session, "bytes */*", []);
        Assert.Equal("bytes=0-2", asked.Headers.GetValues("Range").Single());
        var stored = await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 3-8/9", "456789"u8.ToArray()));
        Assert.Equal("v", stored.Metadata!["k"]);
        Assert.Equal((await emulator.PutAsync("same", "abc456789")).Crc32c, stored.Crc32c);
    }

    [Fact]
    public async Task Upload_TwoRestartsInTheMiddle_GoesOn()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        using var first = await emulator.SendPieceAsync(session, "bytes 0-2/*", "abc"u8.ToArray());
        for (var restart = 0; restart < 2; restart++)
        {
            await emulator.RestartAsync();
            using var asked = await emulator.SendPieceAsync(session, "bytes */*", []);
            Assert.Equal("bytes=0-2", asked.Headers.GetValues("Range").Single());
        }
        await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 3-8/9", "456789"u8.ToArray()));
        Assert.Equal("abc456789"u8.ToArray(), await emulator.ReadAsync("x"));
    }

    [Fact]
    public async Task Upload_WhoseBytesAreGone_IsForgottenAtTheStart()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        await emulator.StopAsync();
        File.Delete(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")).Single());
        await emulator.StartServerAsync();
        await emulator.PutAsync("y", "precious");
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.Folder, "sessions")));
        using var cancelled = await emulator.Http.DeleteAsync(session, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, cancelled.StatusCode);
        await emulator.RestartAsync();
        Assert.Equal("precious"u8.ToArray(), await emulator.ReadAsync("y"));
    }

    [Fact]
    public async Task Upload_ThatNamesTheBytesOfAnother_IsForgottenAtTheStart()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        await emulator.StopAsync();
        var record = Directory.GetFiles(Path.Combine(emulator.Folder, "sessions")).Single();
        var kept = await File.ReadAllTextAsync(record, TestContext.Current.CancellationToken);
        File.Delete(record);
        await emulator.StartServerAsync();
        await emulator.PutAsync("y", "precious");
        await emulator.StopAsync();
        var contents = Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")).Select(path => Convert.ToInt64(Path.GetFileName(path), 16));
        await File.WriteAllTextAsync(record, Content().Replace(kept, $"\"Content\":{contents.Single()}"), TestContext.Current.CancellationToken);

        await emulator.StartServerAsync();

        using var asked = await emulator.SendPieceAsync(session, "bytes */*", []);
        Assert.Equal(HttpStatusCode.NotFound, asked.StatusCode);
        Assert.Equal("precious"u8.ToArray(), await emulator.ReadAsync("y"));
    }

    [Fact]
    public async Task Upload_RestartInTheMiddle_KeepsConditionAndChecksum()
    {
        await using var emulator = await Emulator.StartAsync();
        var conditional = await emulator.BeginResumableAsync("x", "ifGenerationMatch=0");
        var corrupt = await emulator.BeginResumableAsync("y", metadata: """{"md5Hash":"AAAAAAAAAAAAAAAAAAAAAA=="}""");
        await emulator.PutAsync("x", "other");
        await emulator.RestartAsync();
        using var refused = await emulator.SendPieceAsync(conditional, "bytes 0-2/3", "abc"u8.ToArray());
        Assert.Equal(HttpStatusCode.PreconditionFailed, refused.StatusCode);
        using var wrong = await emulator.SendPieceAsync(corrupt, "bytes 0-2/3", "abc"u8.ToArray());
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.Folder, "sessions")));
    }

    [Theory]
    [InlineData("bytes 0-2/3")]
    [InlineData("bytes */*")]
    public async Task Upload_BucketMadeAnewMeanwhile_IsGone(string contentRange)
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        await emulator.RenewBucketAsync();
        await emulator.PutAsync("y", "precious");
        for (var attempt = 0; attempt < 2; attempt++)
        {
            using var refused = await emulator.SendPieceAsync(session, contentRange, contentRange == "bytes */*" ? [] : "abc"u8.ToArray());
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        }
        Assert.Empty(Directory.GetFiles(Path.Combine(emulator.Folder, "sessions")));
        await emulator.RestartAsync();
        Assert.Equal(["y"], (await emulator.ListAsync()).Names);
        Assert.Equal("precious"u8.ToArray(), await emulator.ReadAsync("y"));
    }

    [Fact]
    public async Task Upload_ConnectionCutInAPiece_KeepsWhatArrived()
    {
        await using var emulator = await Emulator.StartAsync();
        var session = await emulator.BeginResumableAsync("x");
        await emulator.SetFaultsAsync("""[{"method":"PUT","action":"drop","afterBytes":70000,"count":1}]""");
        var content = new byte[200_000];
        Random.Shared.NextBytes(content);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => emulator.SendPieceAsync(session, "bytes 0-199999/200000", content));
        using var asked = await emulator.SendPieceAsync(session, "bytes */200000", []);
        Assert.Equal("bytes=0-69999", asked.Headers.GetValues("Range").Single());
        await Emulator.ObjectAsync(await emulator.SendPieceAsync(session, "bytes 70000-199999/200000", content[70_000..]));
        Assert.Equal(content, await emulator.ReadAsync("x"));
    }
}
