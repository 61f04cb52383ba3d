using System.CommandLine;
using System.Globalization;

namespace Silo.Cli.Commands;

/// <summary><c>silo databases</c>.</summary>
internal static class DatabasesCommand
{
    private static readonly string[] Columns = ["Organization", "State", "Silo", "Epoch", "Bytes", "Lag s", "Idle s", "Problem"];

    public static Command Make() => CommandRun.Runs(new Command("databases", "Lists the databases that are active on any silo."), async (run, token) =>
    {
        var list = await run.Server.GetAsync("/api/admin/databases", CliJson.Default.DatabaseList, token);
        run.Print(list, CliJson.Default.DatabaseList, found => CommandRun.PrintTable(
            "No database is active.", Columns,
            found.Items.Select(row => (string[])
            [
                row.Organization.Value, row.State.ToString().ToLowerInvariant(), row.Silo, row.Epoch is { } epoch ? Number(epoch) : row.DbType.ToString()!.ToLowerInvariant(), Number(row.DatabaseBytes + row.WalBytes),
                Number(row.ReplicationLagSeconds), Number(row.IdleSeconds), row.Problem ?? "",
            ])));
    });

    private static string Number(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
