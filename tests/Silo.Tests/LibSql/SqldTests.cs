using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Silo.LibSql;

namespace Silo.Tests.LibSql;

/// <summary>The libSQL server that other tests use does what they take for granted.</summary>
public sealed class SqldTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Data_AfterAKill_IsThereAtTheSameAddress()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: false, Cancellation);
        var url = await sqld.CreateAsync("acme", Cancellation);
        Assert.Equal(HttpStatusCode.OK, await RunAsync(url, "CREATE TABLE t (a)"));
        var former = sqld.Pid;
        await sqld.KillAsync();
        await sqld.RestartAsync(Cancellation);
        Assert.NotEqual(former, sqld.Pid);
        Assert.Equal(HttpStatusCode.OK, await RunAsync(url, "INSERT INTO t VALUES (1)"));
        Assert.Equal(HttpStatusCode.NotFound, await RunAsync(sqld.UrlOf("other"), "SELECT 1"));
        Assert.Equal(HttpStatusCode.OK, await RunAsync(sqld.DefaultUrl, "SELECT 1"));
    }

    [Fact]
    public async Task Authenticated_Requests_NeedATokenOfTheirDatabase()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: true, Cancellation);
        var url = await sqld.CreateAsync("acme", Cancellation);
        var other = await sqld.CreateAsync("other", Cancellation);
        Assert.Equal(HttpStatusCode.Unauthorized, await RunAsync(url, "SELECT 1"));
        Assert.Equal(HttpStatusCode.OK, await RunAsync(url, "SELECT 1", sqld.Tokens!.Make("acme")));
        Assert.Equal(HttpStatusCode.OK, await RunAsync(other, "SELECT 1", sqld.Tokens.Make()));
        Assert.NotEqual(HttpStatusCode.OK, await RunAsync(other, "SELECT 1", sqld.Tokens.Make("acme")));
        Assert.Equal(HttpStatusCode.Unauthorized, await RunAsync(url, "SELECT 1", new SqldTokens().Make("acme")));
    }

    private static async Task<HttpStatusCode> RunAsync(Uri url, string sql, string? token = null)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        if (token is not null) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var body = new StringContent($$$"""{"requests":[{"type":"execute","stmt":{"sql":"{{{sql}}}"}},{"type":"close"}]}""", Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(new Uri(url, "/v3/pipeline"), body, Cancellation);
        var text = await answer.Content.ReadAsStringAsync(Cancellation);
        return text.Contains("\"type\":\"error\"", StringComparison.Ordinal) ? HttpStatusCode.BadRequest : answer.StatusCode;
    }
}
