using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Silo.SystemTests;

/// <summary>A service is watched from outside.</summary>
public sealed partial class MonitoringTests
{
    private static readonly string Config = Path.Combine(RepositoryRoot(), "config");

    [Fact]
    public async Task Prometheus_AfterAStory_FindsWhatRulesAndDashboardsAskFor()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync("--Database:MaxReaders=1", "--Database:MaxCachedBytes=0");
        await TellAsync(silo, "acme", "globex", "initech");

        var rules = Directory.EnumerateFiles(Path.Combine(Config, "prometheus"), "*.yaml").Where(file => File.ReadLines(file).Contains("groups:"));
        await using var prometheus = await Prometheus.StartAsync(machine, new Uri(silo.Ready.Url!), rules);

        // What is asked for can be measured, and every rule says so itself.
        var measured = new List<string>();
        foreach (var rule in await prometheus.RulesAsync())
        {
            var expression = rule.GetProperty("query").GetString()!;
            Assert.Matches(Comparison(), expression);
            measured.Add(Comparison().Replace(expression, ""));
        }
        Assert.True(measured.Count >= 17);
        measured.AddRange(Directory.EnumerateFiles(Path.Combine(Config, "grafana", "dashboards"), "*.json").SelectMany(PanelQueries));
        foreach (var expression in measured)
        {
            await Eventually.GetAsync(
                async () =>
                {
                    await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => silo.Member("acme").GetAsync("/api/contacts")));
                    return (await prometheus.QueryAsync(expression)).Any() ? "yes" : null;
                },
                $"there is something of: {expression}");
        }
        foreach (var rule in await prometheus.RulesAsync()) Assert.Equal(("ok", ""), (rule.GetProperty("health").GetString(), rule.TryGetProperty("lastError", out var error) ? error.GetString() : ""));

        // The table of the README is of what there is.
        var families = Family().Matches((await silo.Service.With(null).GetAsync("/metrics")).Is(200).Text).Select(match => match.Groups[1].Value).ToHashSet();
        var table = File.ReadLines(Path.Combine(Config, "..", "README.md")).SkipWhile(line => !line.StartsWith("| of | metrics", StringComparison.Ordinal)).TakeWhile(line => line.StartsWith('|'));
        var told = table.SelectMany(line => Name().Matches(line)).Select(match => match.Groups[1].Value.Replace('.', '_')).ToHashSet();
        Assert.Equal(families.Order(), told.Order());

        // Nothing is wrong, so nothing fires; and the numbers are those of the story.
        Assert.Empty(await prometheus.QueryAsync("ALERTS"));
        Assert.Equal(3, await ValueAsync(prometheus, """sum(silo_activations_total{job="silo",outcome="new"})"""));
        Assert.Equal(1, await ValueAsync(prometheus, """sum(silo_activation_duration_seconds_count{job="silo",outcome="restored"})"""));
        Assert.Equal(6, await ValueAsync(prometheus, """sum(silo_import_rows_total{job="silo",outcome="imported"})"""));
        Assert.Equal(3, await ValueAsync(prometheus, """sum(silo_request_rejections_total{job="silo",error_type="contact_not_found"})"""));
        Assert.Equal(0, await silo.TerminateAsync());
    }

    [Fact]
    public async Task Metrics_AfterAStoryOfSeveralOrganizations_NameNone()
    {
        await using var machine = new Machine();
        var silo = await machine.StartStandaloneAsync();
        string[] organizations = ["acme", "globex", "initech"];
        await TellAsync(silo, organizations);

        var metrics = (await silo.Service.With(null).GetAsync("/metrics")).Is(200).Text;
        Assert.Contains("silo_activations_total", metrics, StringComparison.Ordinal);
        foreach (var organization in organizations) Assert.DoesNotContain(organization, metrics, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("ada@", metrics, StringComparison.OrdinalIgnoreCase);
        // An organization on Turso has a server of its own.
        Assert.DoesNotMatch(@"http_client_request_duration_seconds_count\{[^}]*server_", metrics);
        // However many organizations there are, there are no more series than now.
        var series = Series(metrics);
        await silo.Operator.CreateOrganizationAsync("umbrella");
        (await silo.Member("umbrella").AddContactAsync("Ada", "replicated")).Is(201);
        Assert.DoesNotContain(Series((await silo.Service.With(null).GetAsync("/metrics")).Is(200).Text).Except(series), name => name.StartsWith("silo_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Silo_WithAnAddressOfItsOwn_TellsHowItIs()
    {
        await using var machine = new Machine();
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        await service.StartSiloAsync("--urls", "http://127.0.0.1:0");
        using var silo = new Service((await service.Silo.ReadyAsync()).Url!);
        var nobody = silo.With(null);

        Assert.Equal("""{"status":"live"}""", (await nobody.GetAsync("/health/live")).Is(200).Text);
        Assert.Equal("""{"status":"ready"}""", (await nobody.GetAsync("/health/ready")).Is(200).Text);
        (await nobody.GetAsync("/api/contacts")).Is(404);
        // Everything that counts is there before it has anything to count.
        var metrics = (await nobody.GetAsync("/metrics")).Is(200).Text;
        foreach (var count in (string[])["silo_lease_losses_total", "silo_litestream_restarts_total", "silo_flush_failures_total", "silo_activations_total", "silo_import_rows_total"])
            Assert.Contains($"\n{count}{{", metrics, StringComparison.Ordinal);

        await service.StartGatewayAsync();
        await service.UntilReadyAsync();
        await service.Operator.CreateOrganizationAsync("acme");
        (await service.Member("acme").AddContactAsync("Ada", "replicated")).Is(201);
        metrics = (await nobody.GetAsync("/metrics")).Is(200).Text;
        Assert.Matches("silo_activations_total\\{[^}]*outcome=\"new\"[^}]*\\} 1", metrics);
        Assert.DoesNotContain("acme", metrics, StringComparison.Ordinal);
        Assert.Equal(0, await service.Silo.TerminateAsync());
    }

    [Fact]
    public async Task Silo_WhosePortIsTaken_SaysSoBeforeItTakesAnything()
    {
        await using var machine = new Machine();
        var service = new SplitService(machine);
        await service.StartEmulatorAsync();
        var taken = (await service.Emulator.ReadyAsync()).BucketUrl!;
        var silo = machine.Start(
            [HostProcess.Program("Silo.Cluster"), "--silo-port", "0", "--gateway-port", "0", "--urls", taken, $"--Database:DataDirectory={machine["d"]}", $"--ConnectionStrings:Catalog={machine["c.db"]}"],
            ("GCS_BUCKET_NAME", "silo"), ("STORAGE_EMULATOR_HOST", new Uri(taken).Authority));
        Assert.Equal(1, await silo.ExitAsync());
        Assert.Contains(new Uri(taken).Authority, silo.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(machine["c.db"]));
    }

    /// <summary>Each organization lives through all that there is to measure: it is written to and read, imports, sleeps; the first one wakes again.</summary>
    private static async Task TellAsync(StandaloneHost silo, params string[] organizations)
    {
        foreach (var id in organizations)
        {
            await silo.Operator.CreateOrganizationAsync(id);
            var member = silo.Member(id);
            var ada = (await member.PostAsync("/api/contacts", """{"name":"Ada","email":"ada@example.org"}""", "replicated")).Is(201);
            (await member.GetAsync($"/api/contacts/{ada.Id}")).Is(200);
            (await member.GetAsync("/api/contacts?search=ada")).Is(200);
            (await member.GetAsync("/api/contacts/01a20a9a-9a40-73d0-9aa5-d577141011fd")).Refuses(404, "contact_not_found");
            await member.CountAsync();
            (await member.PutAsync($"/api/contacts/{ada.Id}", """{"name":"Ada L."}""")).Is(200);
            using var rows = new StringContent("name\nBo\nCy\n", System.Text.Encoding.UTF8, "text/csv");
            (await member.SendAsync(HttpMethod.Post, "/api/contacts/bulk-import", rows, request => request.Headers.Add("Prefer", "wait=30"))).Is(200);
            (await member.DeleteAsync($"/api/contacts/{ada.Id}")).Is(204);
            (await member.GetAsync("/api/audit")).Is(200);
            (await silo.Operator.PostAsync($"/api/admin/databases/{id}/deactivate")).Is(202);
            await silo.Operator.UntilInactiveAsync(id);
        }
        Assert.Equal(2, await silo.Member(organizations[0]).CountAsync());
    }

    private static IEnumerable<string> PanelQueries(string dashboard)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(dashboard));
        return [.. Expressions(json.RootElement).Select(expression => expression
            .Replace("$__rate_interval", "30s", StringComparison.Ordinal).Replace("$instance", ".*", StringComparison.Ordinal))];
    }

    private static IEnumerable<string> Expressions(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member => member is { Name: "expr", Value.ValueKind: JsonValueKind.String } ? [member.Value.GetString()!] : Expressions(member.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Expressions),
        _ => [],
    };

    private static async Task<double> ValueAsync(Prometheus prometheus, string expression) =>
        double.Parse(Assert.Single(await prometheus.QueryAsync(expression)).GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);

    private static HashSet<string> Series(string metrics) =>
        [.. metrics.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#').Select(line => line[..line.LastIndexOf(' ')])];

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Silo.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }

    [GeneratedRegex(@"\s*(==|<|>|<=|>=)\s*[0-9.]+\s*$")]
    private static partial Regex Comparison();

    // Without the unit and what says that it is a counter.
    [GeneratedRegex("^# TYPE ((?:silo|db)_[a-z_]+?)(?:_seconds|_bytes)?(?:_total)? [a-z]+$", RegexOptions.Multiline)]
    private static partial Regex Family();

    [GeneratedRegex(@"`((silo|db)\.[a-z_.]+[a-z])`")]
    private static partial Regex Name();
}
