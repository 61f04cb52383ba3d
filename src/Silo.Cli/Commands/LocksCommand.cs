using System.CommandLine;
using System.Globalization;
using Silo.Contracts.Databases;

namespace Silo.Cli.Commands;

/// <summary><c>silo locks list</c> and <c>silo locks release ORG</c>.</summary>
internal static class LocksCommand
{
    private static readonly string[] Columns = ["Organization", "State", "Epoch", "Cluster", "Silo", "Renewed s ago", "Expires in s"];

    public static Command Make()
    {
        var organization = OrganizationArgument.Word();
        return new Command("locks", "The leases in the bucket: which organization is held by which silo.")
        {
            CommandRun.Runs(new Command("list", "Lists the leases that were not given back."), ListAsync),
            CommandRun.Runs(new Command("release", "Gives back the lease of an owner that is dead. Refused while it may be alive.") { organization }, async (run, token) =>
            {
                await run.Server.DeleteAsync($"/api/admin/locks/{run.Value(organization)}", token);
                if (!run.IsJson) Console.WriteLine($"The lease of {run.Value(organization)} is given back.");
            }),
        };
    }

    private static async Task ListAsync(CommandRun run, CancellationToken cancellationToken)
    {
        var all = new List<LockStatus>();
        for (var cursor = ""; cursor is not null;)
        {
            var page = await run.Server.GetAsync($"/api/admin/locks?limit=500&cursor={Uri.EscapeDataString(cursor)}", CliJson.Default.LockPage, cancellationToken);
            all.AddRange(page.Items);
            cursor = page.NextCursor;
        }
        run.Print(new LockPage(all, null), CliJson.Default.LockPage, found => CommandRun.PrintTable(
            "No organization is locked.", Columns,
            found.Items.Select(row => (string[])
            [
                row.Organization.Value, row.State, row.Epoch.ToString(CultureInfo.InvariantCulture), row.Cluster, row.Silo, Seconds(row.AgeSeconds),
                row.Expired ? "expired" : Seconds(row.ExpiresInSeconds),
            ])));
    }

    private static string Seconds(double value) => value.ToString("0", CultureInfo.InvariantCulture);
}
