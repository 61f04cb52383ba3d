using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Silo.Contracts;
using Silo.Contracts.Contacts;
using Silo.Storage.Imports;
using Silo.Tests.GcsEmulator;

namespace Silo.Tests.Fuzzing;

/// <summary>What strangers send: whatever it is, it is taken or refused, and nothing else happens.</summary>
public sealed partial class FuzzTests
{
    private const int MaxRowBytes = 20_000;

    [Fact]
    public Task OrganizationId_IsTakenExactlyWhenTheContractSaysSo() => new Mutations("organization id").EachAsync(
        ["acme", "a-b_c", new string('x', 63), "0", "../etc", "a%2e"],
        bytes =>
        {
            var text = Encoding.UTF8.GetString(bytes);
            Assert.Equal(Id().IsMatch(text), OrganizationId.TryParse(text, out var id));
            if (id != default) Assert.Equal(text, id.Value);
            return Task.CompletedTask;
        });

    [Fact]
    public Task Import_IsReadToItsEndOrRefused() => new Mutations("import").EachAsync(
        [
            "name,email,phone\nAda,ada@example.org,+49 30 1\n\"Lovelace, \"\"A\"\"\",,\"1\n2\"\n",
            "E-Mail;First Name;Last Name\r\na@b.c;Ada;Lovelace\r\n",
            """[{"name":"Ada","email":"ada@example.org","notes":"é\n"},{"name":"Bo","phone":"1"}]""",
            "{\"name\":\"Ada\"}\n{\"name\":\"Bo\",\"email\":null}\n",
        ],
        bytes =>
        {
            foreach (var open in (Func<IImportRows>[])
                [
                    () => new CsvRows(FileText.Open(new MemoryStream(bytes), null), null, MaxRowBytes),
                    () => new JsonRows(FileText.OpenUtf8(new MemoryStream(bytes), null), true, null, MaxRowBytes),
                    () => new JsonRows(FileText.OpenUtf8(new MemoryStream(bytes), null), false, null, MaxRowBytes),
                ])
            {
                try
                {
                    using var rows = open();
                    foreach (var row in rows.Read())
                    {
                        // What is taken keeps the rules; what does not is told.
                        if (row.Fields is { } fields) Assert.Null(ContactRules.Validate(fields));
                        else Assert.NotEmpty(row.Error.Message);
                    }
                }
                catch (ImportException e)
                {
                    Assert.NotEmpty(e.Error.Message);
                }
            }
            return Task.CompletedTask;
        });

    /// <summary>Raw bytes on a socket: request line, headers, multipart bodies, ranges, names.</summary>
    [Fact]
    public async Task Emulator_AnswersOrClosesAndLivesOn()
    {
        await using var emulator = await Emulator.StartAsync();
        var host = emulator.Http.BaseAddress!;
        const string Part = "--b\r\nContent-Type: application/json\r\n\r\n{\"name\":\"x\"}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n";
        await new Mutations("emulator").EachAsync(
            [
                $"POST /upload/{Emulator.ObjectsPath}?uploadType=multipart HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: {Part.Length}\r\n\r\n{Part}",
                $"POST /upload/{Emulator.ObjectsPath}?uploadType=media&name=y&ifGenerationMatch=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
                $"POST /upload/{Emulator.ObjectsPath}?uploadType=resumable&name=z HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{{\"name\":\"z\"}}",
                $"GET /{Emulator.ObjectPath("x")}?alt=media HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=1-3\r\n\r\n",
                $"GET /{Emulator.ObjectsPath}?prefix=a/&delimiter=/&maxResults=2&pageToken=eA HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                $"PATCH /{Emulator.ObjectPath("x")}?ifMetagenerationMatch=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 27\r\n\r\n{{\"metadata\":{{\"key\":\"value\"}}}}",
                $"DELETE /{Emulator.ObjectPath("x")}?generation=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "PUT /_emulator/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
            ],
            async bytes =>
            {
                var (status, text) = await SendAsync(host, bytes);
                // 505: a damaged version in the request line.
                Assert.True(status is null or (>= 200 and < 500) or 505, $"It answered {text}");
            });
        Assert.True((await emulator.Http.GetAsync(Emulator.ObjectsPath, TestContext.Current.CancellationToken)).IsSuccessStatusCode);
        // Nothing came to be outside its folder.
        Assert.All(Directory.EnumerateFileSystemEntries(emulator.Folder), entry => Assert.Contains(Path.GetFileName(entry), (string[])["buckets", "sessions", "lock"]));
    }

    /// <summary>The answer; no status when the connection was closed without one.</summary>
    private static async Task<(int? Status, string Text)> SendAsync(Uri host, byte[] request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(host.Host, host.Port, TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        try
        {
            await stream.WriteAsync(request, TestContext.Current.CancellationToken);
            // A request whose end is missing would be waited for.
            client.Client.Shutdown(SocketShutdown.Send);
            using var answer = new StreamReader(stream, Encoding.Latin1);
            var text = await answer.ReadToEndAsync(TestContext.Current.CancellationToken);
            return (text.Split(' ', 3) is [_, var status, ..] && int.TryParse(status, out var number) ? number : null, text);
        }
        catch (IOException)
        {
            return (null, ""); // it would not listen to all of it
        }
    }

    [GeneratedRegex("^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?\\z")]
    private static partial Regex Id();
}
