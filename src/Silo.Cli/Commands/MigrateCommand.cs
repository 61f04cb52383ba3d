using System.CommandLine;
using System.Globalization;
using Silo.Contracts;
using Silo.Contracts.Migration;
using Spectre.Console;

namespace Silo.Cli.Commands;

/// <summary>
/// <c>silo migrate</c>: without options a wizard (choose, see what the preflight found, confirm, watch, read the report); with them all of it in a script.
/// </summary>
internal static class MigrateCommand
{
    private const int MaxParallel = 64;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(300);
    private static readonly string[] PreflightColumns = ["Organization", "Bytes", "Tables", "Rows"];
    private static readonly string[] OutcomeColumns = ["Organization", "Outcome", "Tables", "Rows", "Copied in s", "Writes refused s"];

    public static Command Make()
    {
        var named = new Option<string[]>("--org") { Description = "An organization; may be given more than once.", AllowMultipleArgumentsPerToken = true };
        OrganizationArgument.Check(named);
        var all = new Option<bool>("--all") { Description = "All organizations that are on Turso (with --verify-only: all that were migrated)." };
        var parallel = new Option<int>("--parallel") { Description = $"How many at once, 1 to {MaxParallel}.", DefaultValueFactory = _ => 4 };
        parallel.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValueOrDefault<int>() is < 1 or > MaxParallel) result.AddError($"--parallel takes 1 to {MaxParallel}.");
        });
        var stop = new Option<bool>("--stop-on-error") { Description = "Begin no further one once one has failed." };
        var inspect = new Option<bool>("--inspect") { Description = "Only look: whether the Turso database can be reached, how large it is, and what SQLite would not take." };
        var dry = new Option<bool>("--dry-run") { Description = "Do all but the move; writes are refused for as long as a migration would refuse them." };
        var verify = new Option<bool>("--verify-only") { Description = "Compare organizations that were migrated with the Turso databases that they came from." };
        var back = new Option<string?>("--rollback") { Description = "Take this organization back to Turso, where everything is as it was." };
        OrganizationArgument.Check(back);
        var discard = new Option<bool>("--discard-new-writes") { Description = "With --rollback: although something was written since, which is exported into the bucket." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        var command = new Command("migrate", """
            Moves organizations from Turso to SQLite: copies, compares value by value, and only then moves. Without options it asks.
            What was begun goes on when this program is interrupted; 'silo orgs report' tells how it ends.
            """)
        {
            named, all, parallel, stop, inspect, dry, verify, back, discard, yes,
        };
        command.Validators.Add(result =>
        {
            var kinds = new[] { result.GetValue(inspect), result.GetValue(dry), result.GetValue(verify), result.GetValue(back) is not null }.Count(is_ => is_);
            if (kinds > 1) result.AddError("At most one of --inspect, --dry-run, --verify-only and --rollback can be given.");
            if (result.GetValue(back) is not null && (result.GetValue(all) || result.GetValue(named) is { Length: > 0 })) result.AddError("--rollback names its organization itself.");
            if (result.GetValue(all) && result.GetValue(named) is { Length: > 0 }) result.AddError("--all and --org exclude each other.");
            if (result.GetValue(discard) && result.GetValue(back) is null) result.AddError("--discard-new-writes goes with --rollback.");
        });
        return CommandRun.Runs(command, async (run, token) =>
        {
            var kind = run.Value(back) is not null ? MigrationKind.RollBack
                : run.Value(verify) ? MigrationKind.Verify
                : run.Value(dry) ? MigrationKind.Rehearse
                : run.Value(inspect) ? MigrationKind.Inspect
                : MigrationKind.Migrate;
            var organizations = run.Value(back) is { } one ? [one]
                : run.Value(named) is { Length: > 0 } some ? some.Distinct(StringComparer.Ordinal).ToArray()
                : run.Value(all) ? await AllAsync(run, kind, token)
                : await ChooseAsync(run, kind, token);
            if (kind is MigrationKind.Migrate or MigrationKind.RollBack && !run.Value(yes)) await ConfirmAsync(run, kind, organizations, run.Value(parallel), token);

            var request = new MigrateRequest(kind == MigrationKind.Inspect, kind == MigrationKind.Rehearse, kind == MigrationKind.Verify, kind == MigrationKind.RollBack, run.Value(discard));
            var outcome = await EachAsync(run, request, organizations, run.Value(parallel), run.Value(stop), token);
            run.Print(outcome, CliJson.Default.MigrationOutcome, kind == MigrationKind.Inspect ? PrintPreflight : Print);
            if (outcome.Failed > 0) throw new RefusedException($"{outcome.Failed} of {organizations.Length} failed{(outcome.NotBegun > 0 ? $", {outcome.NotBegun} were not begun" : "")}.", null);
        });
    }

    /// <summary>A kind as people call it.</summary>
    public static string Words(MigrationKind kind) => kind switch
    {
        MigrationKind.Inspect => "preflight",
        MigrationKind.Rehearse => "dry run",
        MigrationKind.Migrate => "migration",
        MigrationKind.Verify => "verification",
        MigrationKind.RollBack => "rollback",
        _ => kind.ToString(),
    };

    /// <summary>A step as people call it.</summary>
    public static string Words(MigrationStep step) => step switch
    {
        MigrationStep.CatchingUp => "catching up",
        MigrationStep.RolledBack => "rolled back",
        _ => step.ToString().ToLowerInvariant(),
    };

    public static string Number(double? value) => value?.ToString("#,0.#", CultureInfo.InvariantCulture) ?? "";

    private static async Task<string[]> AllAsync(CommandRun run, MigrationKind kind, CancellationToken cancellationToken) => kind == MigrationKind.Verify
        ? [.. (await OrganizationsCommand.ReportAsync(run, cancellationToken)).Items.Where(row => row.FlippedAt is not null).Select(row => row.Organization.Value)]
        : [.. (await OrganizationsCommand.AllAsync(run, "turso", cancellationToken)).Select(row => row.Id.Value)];

    private static async Task<string[]> ChooseAsync(CommandRun run, MigrationKind kind, CancellationToken cancellationToken)
    {
        if (Console.IsInputRedirected || run.IsJson) throw new UsageException("There is nobody to ask here: name organizations with --org, or say --all.");
        var all = await AllAsync(run, kind, cancellationToken);
        if (all.Length == 0) throw new UsageException(kind == MigrationKind.Verify ? "No organization was migrated yet." : "No organization is on Turso.");
        var prompt = new MultiSelectionPrompt<string>().Title($"Which organizations? ({Words(kind)})").PageSize(15).AddChoices(all);
        return [.. await AnsiConsole.PromptAsync(prompt, cancellationToken)];
    }

    private static async Task ConfirmAsync(CommandRun run, MigrationKind kind, string[] organizations, int parallel, CancellationToken cancellationToken)
    {
        if (Console.IsInputRedirected || run.IsJson) throw new UsageException("There is nobody to ask here: say --yes, or look first with --inspect or --dry-run.");
        if (kind == MigrationKind.Migrate)
        {
            var found = await EachAsync(run, new MigrateRequest(Inspect: true), organizations, parallel, false, cancellationToken);
            PrintPreflight(found);
            if (found.Failed > 0) throw new RefusedException($"{found.Failed} of {organizations.Length} cannot be migrated as they are; nothing was changed.", null);
        }
        var question = kind == MigrationKind.Migrate
            ? $"Shall {organizations.Length} organizations move to SQLite? Their writes are refused for seconds each."
            : $"Shall {Markup.Escape(organizations[0])} go back to Turso?";
        if (!await AnsiConsole.ConfirmAsync(question, defaultValue: false, cancellationToken)) throw new UsageException("Nothing was changed.");
    }

    private static async Task<MigrationOutcome> EachAsync(
        CommandRun run, MigrateRequest request, string[] organizations, int parallel, bool stopOnError, CancellationToken cancellationToken)
    {
        if (run.IsJson || Console.IsOutputRedirected) return await EachAsync(run, request, organizations, parallel, stopOnError, null, cancellationToken);
        return await AnsiConsole.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(progress => EachAsync(run, request, organizations, parallel, stopOnError, progress, cancellationToken));
    }

    private static async Task<MigrationOutcome> EachAsync(
        CommandRun run, MigrateRequest request, string[] organizations, int parallel, bool stopOnError, ProgressContext? progress, CancellationToken cancellationToken)
    {
        var done = new MigratedOrganization?[organizations.Length];
        var overall = progress?.AddTask(string.Create(CultureInfo.InvariantCulture, $"{organizations.Length} organizations"), maxValue: organizations.Length);
        try
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, organizations.Length), new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellationToken }, async (i, token) =>
            {
                if (stopOnError && done.Any(other => other is { IsDone: false })) return;
                done[i] = await OneAsync(run, request, organizations[i], progress, token);
                overall?.Increment(1);
            });
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new RefusedException("Interrupted. What was begun goes on; 'silo orgs report' tells how it ends.", null);
        }
        return new MigrationOutcome([.. done.OfType<MigratedOrganization>()], done.Count(one => one is { IsDone: true }), done.Count(one => one is { IsDone: false }), done.Count(one => one is null));
    }

    private static async Task<MigratedOrganization> OneAsync(CommandRun run, MigrateRequest request, string organization, ProgressContext? progress, CancellationToken cancellationToken)
    {
        var path = $"/api/admin/organizations/{organization}/migrate";
        var task = progress?.AddTask(Markup.Escape(organization), autoStart: true, maxValue: 1);
        try
        {
            var status = await run.Server.PostAsync(path, request, CliJson.Default.MigrateRequest, CliJson.Default.MigrationStatus, cancellationToken);
            var operation = status.OperationId;
            while (status.IsRunning && status.OperationId == operation)
            {
                Show(task, status);
                await Task.Delay(Poll, TimeProvider.System, cancellationToken);
                status = await run.Server.FollowAsync(path, CliJson.Default.MigrationStatus, "'silo orgs report'", cancellationToken);
            }
            return status.OperationId == operation
                ? new MigratedOrganization(OrganizationId.Parse(organization), status.Problem is null, status.Problem, null, status)
                : new MigratedOrganization(OrganizationId.Parse(organization), false, "Another operation has taken its place.", null, status);
        }
        catch (RefusedException e)
        {
            return new MigratedOrganization(OrganizationId.Parse(organization), false, e.Message, e.Code, null);
        }
        finally
        {
            task?.Value(1);
            task?.StopTask();
        }
    }

    private static void Show(ProgressTask? task, MigrationStatus status)
    {
        if (task is null) return;
        task.Description = Markup.Escape(string.Create(CultureInfo.InvariantCulture, $"{status.Organization}: {Words(status.Step)} {status.Table}"));
        var rows = status.Report?.Rows ?? 0;
        task.IsIndeterminate = rows == 0 || status.StepRows == 0;
        if (!task.IsIndeterminate) task.Value = Math.Min(1, status.StepRows / (double)rows);
    }

    private static void PrintPreflight(MigrationOutcome outcome)
    {
        CommandRun.PrintTable("There is nothing to look at.", PreflightColumns, outcome.Items.Select(row => (string[])
            [row.Organization.Value, Number(row.Status?.Report?.Bytes), Number(row.Status?.Report?.Tables.Count), Number(row.Status?.Report?.Rows)]));
        foreach (var row in outcome.Items.Where(row => row.Status?.Report?.Notes.Count > 0)) Console.WriteLine($"{row.Organization}: {string.Join(' ', row.Status!.Report!.Notes)}");
        PrintProblems(outcome);
    }

    private static void Print(MigrationOutcome outcome)
    {
        CommandRun.PrintTable("There is nothing to do.", OutcomeColumns, outcome.Items.Select(row => (string[])
        [
            row.Organization.Value, Outcome(row), Number(row.Status?.Report?.Tables.Count), Number(row.Status?.Report?.Rows), Number(row.Status?.Report?.CopySeconds),
            Number(row.Status?.Report?.FrozenSeconds),
        ]));
        PrintProblems(outcome);
    }

    /// <summary>Below the table: a sentence in a column is not read.</summary>
    private static void PrintProblems(MigrationOutcome outcome)
    {
        foreach (var row in outcome.Items.Where(row => row.Problem is not null)) Console.WriteLine($"{row.Organization}: {row.Problem}{(row.Code is null ? "" : $" ({row.Code})")}");
    }

    private static string Outcome(MigratedOrganization row) => (row.IsDone, row.Status?.Kind) switch
    {
        (false, _) => "failed",
        (_, MigrationKind.Migrate) => "in SQLite, verified",
        (_, MigrationKind.Rehearse) => "would work, verified",
        (_, MigrationKind.Verify) => "the same on both sides",
        (_, MigrationKind.RollBack) => "on Turso",
        _ => "done",
    };
}

/// <summary>The body of a migration.</summary>
internal sealed record MigrateRequest(bool Inspect = false, bool DryRun = false, bool VerifyOnly = false, bool Rollback = false, bool DiscardNewWrites = false);

/// <summary>What came of many.</summary>
/// <param name="Items">Those that were begun.</param>
/// <param name="Done">How many are done.</param>
/// <param name="Failed">How many failed, or were refused.</param>
/// <param name="NotBegun">How many were not begun, because one had failed.</param>
internal sealed record MigrationOutcome(IReadOnlyList<MigratedOrganization> Items, int Done, int Failed, int NotBegun);

/// <summary>What came of one.</summary>
/// <param name="Organization">Which.</param>
/// <param name="IsDone">Whether it succeeded.</param>
/// <param name="Problem">Why not.</param>
/// <param name="Code">The server's code, when it refused to begin.</param>
/// <param name="Status">What the server knows of it.</param>
internal sealed record MigratedOrganization(OrganizationId Organization, bool IsDone, string? Problem, string? Code, MigrationStatus? Status);
