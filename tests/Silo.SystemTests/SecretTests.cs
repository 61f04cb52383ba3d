using System.Text.Json;
using Silo.Gateway.Authentication;
using Silo.LibSql;

namespace Silo.SystemTests;

/// <summary>What is secret stays so: in no log, no argument of a child, no answer; and no file can be read by another user.</summary>
public sealed class SecretTests
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Secrets_OfAWholeRun_AreNowhereAndFilesAreTheOwnersAlone()
    {
        await using var sqld = await Sqld.StartAsync(authenticated: true, Cancellation);
        await using var machine = new Machine();
        var (key, turso) = (DevelopmentTokens.NewSigningKey(), sqld.Tokens!.Make());
        var tokens = new DevelopmentTokens(key, TimeProvider.System);
        // As an operator would: by the environment, since arguments can be seen by everybody on the machine.
        var host = machine.Start(
            [HostProcess.Program("Silo.Standalone"), "--urls", "http://127.0.0.1:0", "--bucket-port", "0", "--data", machine.Data, "--Logging:LogLevel:Default=Debug"],
            ("Auth__SigningKey", key), ("Turso__AuthToken", turso));
        var ready = await host.ReadyAsync();
        using var service = new Service(ready.Url!);
        var (admin, member, on) = (tokens.Admin(), tokens.Member("acme"), tokens.Member("legacy"));
        var answers = new List<string>();
        async Task Ask(string? token, HttpMethod method, string path, string? json = null) => answers.Add((await service.With(token).SendAsync(method, path, json)).Text);
        var url = await sqld.CreateAsync("legacy", Cancellation);
        await Ask(admin, HttpMethod.Post, "/api/admin/organizations", """{"id":"acme","name":"Acme"}""");
        await Ask(admin, HttpMethod.Post, "/api/admin/organizations", JsonSerializer.Serialize(new { id = "legacy", name = "Legacy", dbType = "turso", tursoUrl = url }));
        await Ask(member, HttpMethod.Post, "/api/contacts", """{"name":"Ada"}""");
        await Ask(on, HttpMethod.Post, "/api/contacts", """{"name":"Ada"}""");
        await Ask(admin, HttpMethod.Post, "/api/admin/organizations/legacy/migrate", """{"dryRun":true}""");
        await Ask(member + "x", HttpMethod.Get, "/api/contacts");
        await Ask(member, HttpMethod.Post, "/api/contacts", """{"name":""");
        await Ask(null, HttpMethod.Get, "/api/contacts");
        await sqld.KillAsync();
        await Ask(on, HttpMethod.Get, "/api/contacts");
        foreach (var path in (string[])["/api/admin/databases", "/api/admin/organizations", "/api/admin/locks", "/api/admin/migrations", "/api/admin/audit", "/metrics", "/openapi/v1.json"]) await Ask(admin, HttpMethod.Get, path);

        string[] secrets = [key, turso, admin, member, on];
        var arguments = machine.Running().Select(process => File.ReadAllText($"/proc/{process.Pid}/cmdline")).ToList();
        Assert.True(arguments.Count >= 3, "The host and its children are looked at.");
        var files = Directory.EnumerateFileSystemEntries(machine.Data, "*", SearchOption.AllDirectories).ToList();
        Assert.True(files.Count > 10);
        Assert.All(files, file => Assert.True((File.GetUnixFileMode(file) & Others) == 0, $"{file} is {File.GetUnixFileMode(file)}"));
        Assert.Equal(0, await host.TerminateAsync());
        foreach (var (where, text) in (IEnumerable<(string, string)>)[("its output", host.Output), ("its errors", host.Errors), .. arguments.Select(line => ("the arguments of a process", line)), .. answers.Select(answer => ("an answer", answer))])
            Assert.All(secrets, secret => Assert.False(text.Contains(secret, StringComparison.Ordinal), $"A secret is in {where}: {text}"));
    }
}
