using System.CommandLine;
using System.Globalization;
using Silo.Contracts.Databases;
using Spectre.Console;

namespace Silo.Cli.Commands;

/// <summary>
/// <c>silo restore --org X --at TIME</c>. It first shows what would come back and asks; nothing happens by accident. With <c>--as NEW</c>
/// there is nothing to ask: X stays what it is.
/// </summary>
internal static class RestoreCommand
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    public static Command Make()
    {
        var organization = OrganizationArgument.Named();
        var at = new Option<string>("--at") { Description = "The moment to go back to, such as 2026-03-01T09:30:00Z; the newest proven state at or before it is taken.", Required = true };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only find, prove and count what would come back." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        var target = OrganizationArgument.New();
        var name = new Option<string?>("--name") { Description = "The name of the new organization; that of the other if it is not given." };
        var command = new Command("restore", "Goes back to what an organization's rows were at a moment. What is the truth now stays in the bucket, and can be gone back to.")
        {
            organization, at, dryRun, yes, target, name,
        };
        return CommandRun.Runs(command, async (run, token) =>
        {
            var id = run.Value(organization);
            if (run.Value(name) is not null && run.Value(target) is null) throw new UsageException("--name is for the new organization of --as.");
            if (run.Value(dryRun) || run.Value(target) is not null)
            {
                Print(run, await RunAsync(run, id, new RestoreRequest(run.Value(at), run.Value(dryRun), run.Value(target), run.Value(name)), token));
                return;
            }
            if (!run.Value(yes)) await AskAsync(run, id, run.Value(at), token);
            Print(run, await RunAsync(run, id, new RestoreRequest(run.Value(at), false), token));
        });
    }

    private static async Task AskAsync(CommandRun run, string organization, string at, CancellationToken cancellationToken)
    {
        if (Console.IsInputRedirected) throw new UsageException("There is nobody to ask here: say --yes, or look first with --dry-run.");
        Print(run, await RunAsync(run, organization, new RestoreRequest(at, true), cancellationToken));
        if (!await AnsiConsole.ConfirmAsync($"Shall {Markup.Escape(organization)} go back to this?", defaultValue: false, cancellationToken))
            throw new UsageException("Nothing was changed.");
    }

    private static async Task<RestoreStatus> RunAsync(CommandRun run, string organization, RestoreRequest request, CancellationToken cancellationToken)
    {
        // Of a copy the new organization tells.
        var told = $"/api/admin/organizations/{request.As ?? organization}/restore";
        try
        {
            var begun = await run.Server.PostAsync(
                $"/api/admin/organizations/{organization}/restore", request, CliJson.Default.RestoreRequest, CliJson.Default.RestoreStatus, cancellationToken);
            var status = begun;
            while (status.State == RestoreState.Running)
            {
                await Task.Delay(Poll, TimeProvider.System, cancellationToken);
                status = await run.Server.FollowAsync(told, CliJson.Default.RestoreStatus, $"GET {told}", cancellationToken);
                if ((status.StartedAt, status.At, status.DryRun) != (begun.StartedAt, begun.At, begun.DryRun)) throw new RefusedException("Another restore has taken its place.", null);
            }
            return status.State == RestoreState.Completed ? status : throw new RefusedException(status.Problem ?? "The restore failed.", null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new RefusedException(request.DryRun ? "Interrupted. Nothing was changed." : $"Interrupted. What was begun goes on; GET {told} tells how it ends.", null);
        }
    }

    private static void Print(CommandRun run, RestoreStatus status) => run.Print(status, CliJson.Default.RestoreStatus, done =>
    {
        if (done.StateAt is null)
        {
            Console.WriteLine($"{done.Organization} is there: the same request has made it before.");
            return;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"The newest proven state at or before {done.At:O} is of {done.StateAt:O}: {done.Contacts} contacts, from generation {done.Generation} of epoch {done.Epoch}."));
        Console.WriteLine(done.NewEpoch is { } epoch
            ? done.Source is { } source ? $"{done.Organization} is made of it. {source} is what it was."
            : string.Create(CultureInfo.InvariantCulture, $"{done.Organization} goes on from it in epoch {epoch}. What was the truth before stays in the bucket.")
            : "Nothing was changed.");
    });
}
