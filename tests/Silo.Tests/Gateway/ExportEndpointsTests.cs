using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Silo.Contracts;
using Silo.Contracts.Databases;
using Silo.Contracts.Organizations;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class ExportEndpointsTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _id = "export-" + Guid.NewGuid().ToString("N");
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private TestGateway _gateway = null!;
    private string _token = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        cluster.StandIns.Organizations[_id] = new Organization { Id = OrganizationId.Parse(_id), Name = _id, DbType = OrganizationDbType.Sqlite };
        _gateway = await TestGateway.Start(cluster.Client, builder => builder.Services.AddSingleton<TimeProvider>(_time));
        _token = _gateway.Tokens.Admin();
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(ExportedFile.PieceBytes)]
    [InlineData((3 * ExportedFile.PieceBytes) + 17)]
    public async Task Export_OfAnySize_ComesWholeWithItsLengthAndChecksum(int bytes)
    {
        var file = Put(bytes);
        using var answer = await _gateway.Get(Path, _token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(file, await answer.Content.ReadAsByteArrayAsync(Token));
        var headers = answer.Content.Headers;
        Assert.Equal((bytes, "application/vnd.sqlite3"), (headers.ContentLength, headers.ContentType?.MediaType));
        Assert.Equal($"attachment; filename={_id}.db", headers.ContentDisposition?.ToString());
        Assert.Equal(DateTimeOffset.UnixEpoch, headers.LastModified);
        Assert.Equal($"\"{Convert.ToHexStringLower(SHA256.HashData(file))}\"", answer.Headers.ETag?.Tag);
        Assert.Equal($"sha-256=:{Convert.ToBase64String(SHA256.HashData(file))}:", answer.Headers.GetValues("Repr-Digest").Single());
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        await EndedAsync(file);
    }

    [Theory]
    [InlineData(OrganizationErrorCode.TooManyRequests, 429, "too_many_requests")]
    [InlineData(OrganizationErrorCode.DatabaseUnavailable, 503, "database_unavailable")]
    public async Task Export_ThatIsRefused_SaysWhy(OrganizationErrorCode refusal, int status, string code)
    {
        cluster.StandIns.Failures[_id] = new OrganizationException(refusal, "Why.");
        using var answer = await _gateway.Get(Path, _token);
        Assert.Equal("Why.", (await answer.Problem(status, code)).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Export_OfWhatIsNoOrganizationOrByAMember_IsRefused()
    {
        foreach (var (id, status, code) in new[] { ("unknown", 404, "organization_not_found"), ("A", 400, "invalid_organization_id") })
        {
            using var answer = await _gateway.Get($"/api/admin/organizations/{id}/export", _token);
            await answer.Problem(status, code);
        }
        using var member = await _gateway.Get(Path, _gateway.Member(_id));
        await member.Problem(403, "forbidden");
    }

    [Fact]
    public async Task Silo_GoneInTheMiddle_IsABrokenTransferAndNoShortFile()
    {
        var file = Put(3 * ExportedFile.PieceBytes);
        cluster.StandIns.BrokenExports[file] = true;
        using var request = new HttpRequestMessage(HttpMethod.Get, Path) { Headers = { Authorization = new("Bearer", _token) } };
        await Assert.ThrowsAsync<HttpRequestException>(async () =>
        {
            using var answer = await _gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
            await answer.Content.ReadAsByteArrayAsync(Token);
        });
        await EndedAsync(file);
    }

    [Fact]
    public async Task Client_GoneInTheMiddle_EndsTheExport()
    {
        var file = Put(64 * 1024 * 1024);
        using (var client = await BeginRawAsync())
        {
            Assert.NotEqual(0, await client.GetStream().ReadAsync(new byte[1000], Token));
        }
        await EndedAsync(file);
    }

    [Fact]
    public async Task Client_TooSlow_IsLeft()
    {
        var file = Put(64 * 1024 * 1024);
        using var client = await BeginRawAsync();
        Assert.NotEqual(0, await client.GetStream().ReadAsync(new byte[1000], Token));
        await Eventually.IsAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return !cluster.StandIns.Exports.Values.Contains(file);
            }, "the export has ended");
    }

    private string Path => $"/api/admin/organizations/{_id}/export";

    private byte[] Put(int bytes) => cluster.StandIns.Files[_id] = RandomNumberGenerator.GetBytes(bytes);

    private async Task EndedAsync(byte[] file) => await Eventually.IsAsync(() => !cluster.StandIns.Exports.Values.Contains(file), "the export has ended");

    private async Task<TcpClient> BeginRawAsync()
    {
        var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(IPAddress.Loopback, _gateway.Url.Port, Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {Path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {_token}\r\n\r\n"), Token);
        return client;
    }
}
