using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Silo.Contracts.Imports;
using Spectre.Console;

namespace Silo.Cli.Commands;

/// <summary>
/// <c>silo import FILE --org X</c>. The import's key is made of the file, how it is read, the organization and the options, so that the same
/// command, run again after an interruption, finds the import that it began. An import that has failed is over: the same command sends the file
/// again, under a key that follows from the one that failed.
/// </summary>
internal static class ImportCommand
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(300);
    private static readonly string[] ErrorColumns = ["Row", "Code", "What is wrong"];

    public static Command Make()
    {
        var file = new Argument<FileInfo>("file") { Description = "CSV, a JSON array, or NDJSON; with .gz at its end compressed." };
        file.AcceptExistingOnly();
        var organization = OrganizationArgument.Named();
        var format = new Option<string?>("--format") { Description = "csv, json or ndjson; by default by the file's name." };
        format.AcceptOnlyFromAmong("csv", "json", "ndjson");
        var overwrite = new Option<bool>("--overwrite-existing") { Description = "Replace contacts that are there, in the fields that the file has." };
        var strict = new Option<bool>("--strict") { Description = "One row that breaks a rule fails the whole import." };
        var agent = new Option<string?>("--agent-id") { Description = "Who looks after the contacts of rows that name nobody." };
        var again = new Option<bool>("--again") { Description = "Import the file once more, although it was imported before." };
        var command = new Command("import", "Imports a file of contacts, whole or not at all. After an interruption the same command goes on.")
        {
            file, organization, format, overwrite, strict, agent, again,
        };
        return CommandRun.Runs(command, async (run, token) =>
        {
            var source = run.Value(file);
            var query = $"?overwriteExisting={Flag(run.Value(overwrite))}&strict={Flag(run.Value(strict))}&agentId={Uri.EscapeDataString(run.Value(agent) ?? "")}";
            var root = $"/api/admin/organizations/{run.Value(organization)}";
            var mediaType = MediaType(source, run.Value(format));
            var key = run.Value(again) ? Guid.CreateVersion7() : await KeyAsync(source, $"{root}{query} {mediaType} {(IsGzip(source) ? "gzip" : "")}", token);
            var status = run.IsJson || Console.IsOutputRedirected
                ? await FollowAsync(run, root, query, key, source, mediaType, null, token)
                : await AnsiConsole.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new SpinnerColumn())
                    .StartAsync(progress => FollowAsync(run, root, query, key, source, mediaType, progress, token));
            run.Print(status, CliJson.Default.ImportStatus, Print);
            if (status.State == ImportState.Failed) throw new RefusedException("The import failed; nothing was changed.", status.Errors is [var first, ..] ? first.Code : null);
        });
    }

    private static async Task<ImportStatus> FollowAsync(
        CommandRun run, string root, string query, Guid key, FileInfo file, string mediaType, ProgressContext? progress, CancellationToken cancellationToken)
    {
        try
        {
            (key, var known) = await LastAttemptAsync(run, root, key, cancellationToken);
            var path = $"{root}/imports/{key}";
            var status = known ?? await SendAsync(run, $"{root}/contacts/bulk-import{query}", key, file, mediaType, progress, cancellationToken);
            var taking = progress?.AddTask("Rows", maxValue: 1);
            while (status.State is ImportState.Queued or ImportState.Running)
            {
                Show(taking, status);
                await Task.Delay(Poll, TimeProvider.System, cancellationToken);
                status = await run.Server.FollowAsync(path, CliJson.Default.ImportStatus, $"GET {path}", cancellationToken);
            }
            Show(taking, status);
            return status;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new RefusedException("Interrupted. What was sent whole is imported all the same; the same command goes on from here.", null);
        }
    }

    /// <summary>The first attempt that has not failed, and what is known of it; null when it was not sent yet.</summary>
    private static async Task<(Guid Key, ImportStatus? Known)> LastAttemptAsync(CommandRun run, string root, Guid key, CancellationToken cancellationToken)
    {
        for (; ; key = KeyAfter(key))
        {
            try
            {
                var status = await run.Server.GetAsync($"{root}/imports/{key}", CliJson.Default.ImportStatus, cancellationToken);
                if (status.State != ImportState.Failed) return (key, status);
            }
            catch (RefusedException e) when (e.Code == "import_not_found")
            {
                return (key, null);
            }
        }
    }

    private static async Task<ImportStatus> SendAsync(
        CommandRun run, string path, Guid key, FileInfo file, string mediaType, ProgressContext? progress, CancellationToken cancellationToken)
    {
        var sending = progress?.AddTask("Sending", maxValue: Math.Max(1, file.Length));
        await using var content = new ProgressStream(Open(file), sending is null ? null : read => sending.Increment(read));
        using var body = new StreamContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } };
        if (IsGzip(file)) body.Headers.ContentEncoding.Add("gzip");
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body };
        request.Headers.Add("Idempotency-Key", key.ToString());
        return await run.Server.SendAsync(request, CliJson.Default.ImportStatus, cancellationToken);
    }

    private static void Show(ProgressTask? task, ImportStatus status)
    {
        if (task is null) return;
        task.Description = status.Phase switch
        {
            ImportPhase.Reading => string.Create(CultureInfo.InvariantCulture, $"Reading: {status.Processed:N0} rows, {status.RowsPerSecond:N0}/s"),
            ImportPhase.Merging => string.Create(CultureInfo.InvariantCulture, $"Merging {status.Total:N0} rows"),
            ImportPhase.Replicating => "Waiting for the bucket",
            _ => status.State == ImportState.Queued ? "Waiting for another import" : "Done",
        };
        task.IsIndeterminate = status.State is ImportState.Queued or ImportState.Running;
        if (!task.IsIndeterminate) task.Value = 1;
    }

    private static void Print(ImportStatus status)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Import {status.Id}: {status.State.ToString().ToLowerInvariant()}. {status.Imported:N0} imported, {status.Updated:N0} updated, {status.Skipped:N0} skipped, {status.Failed:N0} failed of {status.Total ?? status.Processed:N0} rows."));
        if (status.UnknownColumns.Count > 0) Console.WriteLine($"Columns that contacts do not have: {string.Join(", ", status.UnknownColumns)}.");
        if (status.Errors.Count > 0)
            CommandRun.PrintTable("", ErrorColumns, status.Errors.Select(error => (string[])[error.Row == 0 ? "" : error.Row.ToString(CultureInfo.InvariantCulture), error.Code, error.Message]));
    }

    private static FileStream Open(FileInfo file)
    {
        try
        {
            return file.OpenRead();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{file.FullName} cannot be read: {e.Message}");
        }
    }

    /// <summary>The key of what is imported, where, and how.</summary>
    private static async Task<Guid> KeyAsync(FileInfo file, string target, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using (var content = Open(file)) hash.AppendData(await SHA256.HashDataAsync(content, cancellationToken));
        hash.AppendData(Encoding.UTF8.GetBytes(target));
        return Uuid(hash.GetHashAndReset());
    }

    /// <summary>The key of the attempt after one that failed: the same whoever makes it, so that it can be found again.</summary>
    private static Guid KeyAfter(Guid failed) => Uuid(SHA256.HashData(failed.ToByteArray(bigEndian: true)));

    /// <summary>A UUIDv8 (RFC 9562, section 5.8).</summary>
    private static Guid Uuid(byte[] hash)
    {
        var bytes = hash[..16];
        bytes[6] = (byte)(0x80 | (bytes[6] & 0x0F));
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3F));
        return new Guid(bytes, bigEndian: true);
    }

    private static string MediaType(FileInfo file, string? format) => (format ?? Path.GetExtension(IsGzip(file) ? Path.GetFileNameWithoutExtension(file.Name) : file.Name).ToLowerInvariant()) switch
    {
        "csv" or ".csv" or ".tsv" or ".txt" => "text/csv",
        "json" or ".json" => "application/json",
        "ndjson" or ".ndjson" or ".jsonl" => "application/x-ndjson",
        _ => throw new UsageException($"What {file.Name} is written in does not show in its name: say --format csv, json or ndjson."),
    };

    private static bool IsGzip(FileInfo file) => file.Extension.Equals(".gz", StringComparison.OrdinalIgnoreCase);

    private static string Flag(bool value) => value ? "true" : "false";
}
