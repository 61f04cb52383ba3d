using System.CommandLine;
using System.Globalization;

namespace Silo.Cli.Commands;

/// <summary><c>silo audit</c>.</summary>
internal static class AuditCommand
{
    private const int MaxPage = 500;

    private static readonly string[] Columns = ["When (UTC)", "Operator", "From", "Action", "Answer"];

    public static Command Make()
    {
        var limit = new Option<int>("--limit") { Description = $"How many, 1 to {MaxPage}.", DefaultValueFactory = _ => 50 };
        limit.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValueOrDefault<int>() is < 1 or > MaxPage) result.AddError($"--limit takes 1 to {MaxPage}.");
        });
        return CommandRun.Runs(new Command("audit", "Lists what operators did, newest first.") { limit }, async (run, token) =>
        {
            var page = await run.Server.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/api/admin/audit?limit={run.Value(limit)}"), CliJson.Default.OperatorActionPage, token);
            run.Print(page, CliJson.Default.OperatorActionPage, found => CommandRun.PrintTable(
                "Operators did nothing yet.", Columns,
                found.Items.Select(row => (string[])
                [
                    row.At.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), row.Operator ?? "", row.Source ?? "", row.Action, row.Status?.ToString(CultureInfo.InvariantCulture) ?? "none",
                ])));
        });
    }
}
