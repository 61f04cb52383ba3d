using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Gcs;

/// <summary>Answers that Google may give and the emulator never does.</summary>
public sealed class UnusualBucketTests : IAsyncDisposable
{
    private WebApplication? _server;

    private static CancellationToken Cancellation => BucketFixture.Cancellation;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    /// <summary>Some of these resets come just when HttpClient has connected, and then it throws what it does not promise to throw.</summary>
    [Fact]
    public async Task Connection_ResetAsSoonAsItIsMade_IsAFailureOfTheBucket()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var resetting = Task.Run(async () =>
        {
            while (true)
            {
                using var connection = await listener.AcceptSocketAsync(over.Token);
                connection.LingerState = new LingerOption(enable: true, seconds: 0);
            }
        }, Cancellation);
        using var client = BucketFixture.Client(new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), options => options.Retries = 0);
        await Parallel.ForEachAsync(Enumerable.Range(0, 2_000), Cancellation, async (_, token) => await Assert.ThrowsAsync<BucketException>(() => client.GetAsync("a", token)));
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => resetting);
    }

    [Fact]
    public async Task List_EmptyPageThatIsNotTheLast_IsFollowed()
    {
        using var client = await ServeAsync(context => context.Request.Query["pageToken"].ToString() switch
        {
            "" => context.Response.WriteAsync("""{"nextPageToken":"one"}"""),
            "one" => context.Response.WriteAsync("""{"items":[],"nextPageToken":"t wo&"}"""),
            _ => context.Response.WriteAsync("""{"items":[{"name":"a","generation":"1","metageneration":"1","size":"3","updated":"2030-01-01T00:00:00.123Z"}]}"""),
        });
        Assert.True(await client.ExistsAnyAsync("a", Cancellation));
        await foreach (var item in client.ListAsync("a", cancellationToken: Cancellation))
            Assert.Equal(new BucketObject("a", 1, 1, 3, new DateTimeOffset(2030, 1, 1, 0, 0, 0, 123, TimeSpan.Zero), null), item);
    }

    [Fact]
    public async Task Download_WithoutLastModified_AsksForTheTimeOfThatVersion()
    {
        using var client = await ServeAsync(context =>
        {
            if (context.Request.Query["alt"] != "media")
            {
                Assert.Equal("7", context.Request.Query["generation"].ToString());
                return context.Response.WriteAsync("""{"name":"a","generation":"7","metageneration":"1","size":"2","updated":"2030-01-01T00:00:00.5Z"}""");
            }

            context.Response.Headers["x-goog-generation"] = "7";
            return context.Response.WriteAsync("{}");
        });
        var read = (await client.DownloadAsync("a", Cancellation))!.Value;
        Assert.Equal((7, 500), (read.Object.Generation, read.Object.Updated.Millisecond));
    }

    [Theory]
    [InlineData("<html>Welcome to the hotel</html>")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("")]
    public async Task ConditionalUpload_AnswerThatIsNone_IsUnknownOutcome(string answer)
    {
        using var client = await ServeAsync(context => context.Response.WriteAsync(answer));
        var failure = await Assert.ThrowsAsync<BucketException>(() => client.UploadAsync("a", default, "text/plain", 0, Cancellation));
        Assert.True(failure.IsTransient);
    }

    [Theory]
    [InlineData("Not Found")]
    [InlineData("")]
    public async Task Get_VagueNotFound_IsAbsenceOnlyWhenTheBucketIsThere(string reason)
    {
        var isBucketThere = true;
        using var client = await ServeAsync(context =>
        {
            if (isBucketThere && context.Request.Path.Value!.EndsWith("/o", StringComparison.Ordinal)) return context.Response.WriteAsync("{}");
            context.Response.StatusCode = 404;
            return context.Response.WriteAsync(reason);
        });
        Assert.Null(await client.GetAsync("a", Cancellation));
        isBucketThere = false;
        Assert.Equal(HttpStatusCode.NotFound, (await Assert.ThrowsAsync<BucketException>(() => client.GetAsync("a", Cancellation))).Status);
    }

    [Fact]
    public async Task Upload_Request_IsOneMultipartWithoutExpectOrCredentials()
    {
        string? body = null, expect = null, authorization = null;
        using var client = await ServeAsync(async context =>
        {
            (expect, authorization) = (context.Request.Headers.Expect, context.Request.Headers.Authorization);
            body = await new StreamReader(context.Request.Body).ReadToEndAsync(Cancellation);
            await context.Response.WriteAsync("""{"name":"a","generation":"1"}""", Cancellation);
        });
        await client.UploadAsync("a", "123456789"u8.ToArray(), "text/plain", 0, Cancellation);
        Assert.Contains("\"crc32c\":\"4waSgw==\"", body, StringComparison.Ordinal);
        Assert.True(string.IsNullOrEmpty(expect) && string.IsNullOrEmpty(authorization));
    }

    private async Task<BucketClient> ServeAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        _server = builder.Build();
        _server.Run(answer);
        await _server.StartAsync(Cancellation);
        return BucketFixture.Client(new Uri(_server.Urls.Single()));
    }
}
