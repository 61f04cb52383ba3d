using System.CommandLine;
using System.Globalization;
using Silo.Contracts.Migration;
using Silo.Contracts.Organizations;

namespace Silo.Cli.Commands;

/// <summary><c>silo orgs list</c> and <c>silo orgs report</c>.</summary>
internal static class OrganizationsCommand
{
    private const int PageSize = 500;

    private static readonly string[] ListColumns = ["Organization", "Name", "Architecture", "Durability", "State", "Where"];
    private static readonly string[] ReportColumns = ["Organization", "Last", "Step", "Rows", "Refused s", "Moved", "Verified"];

    public static Command Make()
    {
        var type = new Option<string?>("--type") { Description = "Only those on turso, or in sqlite." };
        type.AcceptOnlyFromAmong("turso", "sqlite");
        return new Command("orgs", "The organizations, and how far they have come from Turso to SQLite.")
        {
            CommandRun.Runs(new Command("list", "Lists the organizations, each with its present architecture.") { type }, async (run, token) =>
                run.Print(new OrganizationPage(await AllAsync(run, run.Value(type), token), null), CliJson.Default.OrganizationPage, found => CommandRun.PrintTable(
                    "There is no organization.", ListColumns,
                    found.Items.Select(row => (string[])
                    [
                        row.Id.Value, row.Name, row.DbType.ToString().ToLowerInvariant(), row.Durability.ToString().ToLowerInvariant(), row.IsDbProvisioning ? "being migrated" : "",
                        row.DbType == OrganizationDbType.Turso ? row.TursoUrl ?? "" : $"{row.GcsBucketName}/{row.GcsReplicaPath}",
                    ])))),
            CommandRun.Runs(new Command("report", "How many organizations are where, and what came of their last migrations."), async (run, token) =>
                run.Print(await ReportAsync(run, token), CliJson.Default.FleetReport, Print)),
        };
    }

    /// <summary>All organizations by id.</summary>
    public static async Task<IReadOnlyList<Organization>> AllAsync(CommandRun run, string? type, CancellationToken cancellationToken)
    {
        var all = new List<Organization>();
        for (var cursor = ""; cursor is not null;)
        {
            var page = await run.Server.GetAsync($"/api/admin/organizations?limit={PageSize}&dbType={type}&cursor={Uri.EscapeDataString(cursor)}", CliJson.Default.OrganizationPage, cancellationToken);
            all.AddRange(page.Items);
            cursor = page.NextCursor;
        }
        return all;
    }

    /// <summary>The whole fleet.</summary>
    public static async Task<FleetReport> ReportAsync(CommandRun run, CancellationToken cancellationToken)
    {
        FleetReport? first = null;
        var all = new List<MigrationStatus>();
        for (var cursor = ""; cursor is not null;)
        {
            var page = await run.Server.GetAsync($"/api/admin/migrations?limit={PageSize}&cursor={Uri.EscapeDataString(cursor)}", CliJson.Default.FleetReport, cancellationToken);
            first ??= page;
            all.AddRange(page.Items);
            cursor = page.NextCursor;
        }
        return first! with { Items = all, NextCursor = null };
    }

    private static void Print(FleetReport report)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Turso} on Turso, {report.Sqlite} in SQLite ({report.Moved} of them migrated); {report.Running} operations run, {report.Failed} of the last ones failed."));
        CommandRun.PrintTable("Nothing was migrated yet.", ReportColumns, report.Items.Select(row => (string[])
        [
            row.Organization.Value, MigrateCommand.Words(row.Kind), MigrateCommand.Words(row.Step), MigrateCommand.Number(row.Report?.Rows), MigrateCommand.Number(row.Report?.FrozenSeconds),
            Time(row.FlippedAt), Time(row.VerifiedAt),
        ]));
        foreach (var row in report.Items.Where(row => row.Problem is not null)) Console.WriteLine($"{row.Organization}: {row.Problem}");
    }

    private static string Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("u", CultureInfo.InvariantCulture) ?? "";
}
