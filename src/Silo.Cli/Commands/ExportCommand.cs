using System.CommandLine;
using System.Globalization;
using Silo.Contracts;
using Spectre.Console;

namespace Silo.Cli.Commands;

/// <summary>
/// <c>silo export ORG</c>. The file appears under its name when all of it is there and its checksum is right, and not before; nothing is
/// overwritten that was not asked for.
/// </summary>
internal static class ExportCommand
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static Command Make()
    {
        var organization = OrganizationArgument.Word();
        var target = new Option<FileInfo?>("--out") { Description = "The file to write. [default: ORG.db in this folder]" };
        var force = new Option<bool>("--force") { Description = "Overwrite the file if there is one." };
        var command = new Command("export", "Writes an organization's database to a SQLite file, while it is in use.") { organization, target, force };
        return CommandRun.Runs(command, async (run, token) =>
        {
            var id = run.Value(organization);
            var file = run.Value(target) ?? new FileInfo($"{id}.db");
            Check(file, run.Value(force));
            var exported = run.IsJson || Console.IsOutputRedirected
                ? await ExportAsync(run, id, file, run.Value(force), null, token)
                : await AnsiConsole.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
                    .StartAsync(progress => ExportAsync(run, id, file, run.Value(force), progress.AddTask("Waiting for the copy", autoStart: false), token));
            run.Print(exported, CliJson.Default.ExportDone, done =>
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done.File}: {done.Bytes:N0} bytes, the state of {done.At:O}, sha256 {done.Sha256}.")));
        });
    }

    private static void Check(FileInfo file, bool force)
    {
        if (Directory.Exists(file.FullName)) throw new UsageException($"{file.FullName} is a folder; --out names a file.");
        if (file.Directory is not { Exists: true }) throw new UsageException($"The folder {file.DirectoryName} does not exist.");
        if (file.Exists && !force) throw new UsageException($"{file.FullName} exists; --force overwrites it.");
    }

    private static async Task<ExportDone> ExportAsync(CommandRun run, string organization, FileInfo file, bool force, ProgressTask? progress, CancellationToken cancellationToken)
    {
        // Not by the process: in containers that share a folder each may be process 1.
        var unfinished = $"{file.FullName}.{Guid.NewGuid():n}.part";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, Options = FileOptions.Asynchronous, UnixCreateMode = OwnerOnly };
        try
        {
            var content = new FileStream(unfinished, options);
            try
            {
                Download download;
                await using (content)
                {
                    download = await run.Server.DownloadAsync($"/api/admin/organizations/{organization}/export", content, (done, total) => Show(progress, done, total), cancellationToken);
                    content.Flush(flushToDisk: true);
                }
                File.Move(unfinished, file.FullName, force);
                return new ExportDone(OrganizationId.Parse(organization), file.FullName, download.Bytes, download.Sha256, download.LastModified);
            }
            finally
            {
                // This run has made it; once it has its name, there is none to delete.
                File.Delete(unfinished);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException($"{file.FullName} cannot be written: {e.Message}", null, e);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new RefusedException("Interrupted. Nothing was written.", null);
        }
    }

    private static void Show(ProgressTask? task, long done, long total)
    {
        if (task is null) return;
        if (!task.IsStarted)
        {
            task.Description = "Fetching";
            task.MaxValue = total;
            task.StartTask();
        }
        task.Value = done;
    }
}
