using System.CommandLine;

namespace Silo.Cli.Commands;

/// <summary><c>silo warm ORG</c>.</summary>
internal static class WarmCommand
{
    public static Command Make()
    {
        var organization = OrganizationArgument.Word();
        return CommandRun.Runs(new Command("warm", "Opens an organization's database, so that its next request finds it open.") { organization }, async (run, token) =>
        {
            await run.Server.PostAsync($"/api/admin/databases/{run.Value(organization)}/warm", token);
            if (!run.IsJson) Console.WriteLine($"{run.Value(organization)} is being opened; 'silo databases' shows when it is.");
        });
    }
}
