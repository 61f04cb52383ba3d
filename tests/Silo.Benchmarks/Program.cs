using System.CommandLine;
using Microsoft.Playwright;
using Silo.Benchmarks;
using Silo.Benchmarks.Floor;
using Silo.Benchmarks.Load;
using Silo.Benchmarks.Scenarios;
using Silo.Contracts.Hosting;
using Silo.Storage.Migration;
using Silo.Storage.Turso;
using Spectre.Console;

var what = new Argument<string>("what") { Description = "Which benchmark: cold, warm, memory, replicated, checkpoint, import, export, hop, cluster, turso, migrate, telemetry, warmup, admin, or all of them.", DefaultValueFactory = _ => "all" };
what.AcceptOnlyFromAmong("cold", "warm", "memory", "replicated", "checkpoint", "import", "export", "hop", "cluster", "turso", "migrate", "telemetry", "warmup", "admin", "all");
var defaults = new BenchmarkSettings();
var organizations = new Option<int?>("--organizations") { Description = "Organizations; by default 20 cold, 100 warm, 300 for memory and admin, 1,000 for warmup." };
var contacts = Number("--contacts", "Contacts of each organization.", defaults.Contacts);
var rounds = Number("--rounds", "Rounds of cold, warm and telemetry.", defaults.Rounds);
var only = new Option<string>("--only") { Description = "Of warm, only what is named so at its beginning: get, list, insert or mixed.", DefaultValueFactory = _ => "" };
var seconds = Number("--seconds", "Seconds of one warm measurement.", defaults.Seconds);
var connections = Number("--connections", "Connections at saturation.", defaults.Connections);
var latency = Number("--latency-ms", "Latency of the bucket in the second pass of cold and for replicated; 0 for none.", defaults.LatencyMs);
var written = Number("--written", "Organizations written once a second for memory.", defaults.Written);
var withoutFloor = new Option<bool>("--without-floor") { Description = "Leave the floor out of cold and memory." };
var data = new Option<DirectoryInfo?>("--data") { Description = "Folder that keeps the seeded data for the next run; by default one that is removed." };
var json = new Option<FileInfo?>("--json") { Description = "File that gets a JSON line per measurement." };
var host = new Option<string[]>("--host") { Description = "Setting of the standalone host, such as Litestream:GoGarbagePercent=10; may be given several times." };
var environment = new Option<string[]>("--environment") { Description = "Environment variable of the servers, NAME=value; may be given several times." };
var root = new RootCommand("Measures Silo beside a plain ASP.NET endpoint on Microsoft.Data.Sqlite: cold starts, warm requests, memory per active organization; and alone: replicated writes, checkpoints, bulk imports, exports, reads from Turso, migrations from there, what it costs to be watched, the admin page; and replays weeks of use, for what warm-up gives.")
{
    what, organizations, contacts, rounds, only, seconds, connections, latency, written, withoutFloor, data, json, host, environment,
};
root.SetAction(async (arguments, cancellationToken) =>
{
    using var run = new BenchmarkRun(new BenchmarkSettings
    {
        Organizations = arguments.GetValue(organizations),
        Contacts = arguments.GetValue(contacts),
        Rounds = arguments.GetValue(rounds),
        Only = arguments.GetRequiredValue(only),
        Seconds = arguments.GetValue(seconds),
        Connections = arguments.GetValue(connections),
        LatencyMs = arguments.GetValue(latency),
        Written = arguments.GetValue(written),
        WithoutFloor = arguments.GetValue(withoutFloor),
        Data = arguments.GetValue(data),
        Json = arguments.GetValue(json),
        HostSettings = arguments.GetValue(host) ?? [],
        Environment = arguments.GetValue(environment) ?? [],
    });
    var asked = arguments.GetRequiredValue(what);
    try
    {
        if (asked is "cold" or "all") await new ColdReads(run).RunAsync(cancellationToken);
        if (asked is "warm" or "all") await new WarmRequests(run).RunAsync(cancellationToken);
        if (asked is "memory" or "all") await new ActiveOrganizations(run).RunAsync(cancellationToken);
        if (asked is "replicated" or "all") await new ReplicatedWrites(run).RunAsync(cancellationToken);
        if (asked is "checkpoint" or "all") await new CheckpointHolds(run).RunAsync(cancellationToken);
        if (asked is "import" or "all") await new BulkImports(run).RunAsync(cancellationToken);
        if (asked is "export" or "all") await new DatabaseExports(run).RunAsync(cancellationToken);
        if (asked is "hop" or "all") await new GatewayHop(run).RunAsync(cancellationToken);
        if (asked is "cluster" or "all") await new ClusterCosts(run).RunAsync(cancellationToken);
        if (asked is "turso" or "all") await new TursoReads(run).RunAsync(cancellationToken);
        if (asked is "migrate" or "all") await new DatabaseMigrations(run).RunAsync(cancellationToken);
        if (asked is "telemetry" or "all") await new TelemetryCost(run).RunAsync(cancellationToken);
        if (asked is "warmup" or "all") new WarmUpReplays(run).Run();
        if (asked is "admin" or "all") await new AdminPages(run).RunAsync(cancellationToken);
        return 0;
    }
    catch (Exception e) when (e is BenchmarkException or OperationCanceledException or IOException or TimeoutException or HttpRequestException or TursoException or MigrationException or PlaywrightException)
    {
        run.Log.MarkupLineInterpolated($"[red]{e.Message}[/]");
        return 1;
    }
    finally
    {
        run.Report.Show();
    }
});

var floorData = new Option<string>("--data") { Required = true };
var floorPort = new Option<int>("--port");
var floorReady = new Option<string>("--ready-file") { Required = true };
var floor = new Command("floor", "Serves the floor itself. The benchmarks start it.") { floorData, floorPort, floorReady };
var (settings, options) = SettingArguments.Split(args);
floor.SetAction((arguments, cancellationToken) => FloorServer.RunAsync(
    arguments.GetRequiredValue(floorData), arguments.GetValue(floorPort), arguments.GetRequiredValue(floorReady), settings, cancellationToken));
root.Subcommands.Add(floor);

// Servers flush and remove their files when they are asked to end.
return await root.Parse(options is ["floor", ..] ? options : args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(3) });

static Option<int> Number(string name, string description, int byDefault) => new(name) { Description = description, DefaultValueFactory = _ => byDefault };
