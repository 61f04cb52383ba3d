using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;

namespace Silo.Cli;

/// <summary>One run of a command: its arguments, its server, and how it says what came of it.</summary>
/// <param name="arguments">What was typed.</param>
/// <param name="server">The server.</param>
/// <param name="isJson">Whether programs read the output.</param>
internal sealed class CommandRun(ParseResult arguments, ServerConnection server, bool isJson)
{
    /// <summary>An option of every command.</summary>
    public static readonly Option<bool> Json = new("--json") { Description = "Print what the server answers, as JSON.", Recursive = true };

    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    /// <summary>The server.</summary>
    public ServerConnection Server => server;

    /// <summary>Whether programs read the output.</summary>
    public bool IsJson => isJson;

    /// <summary>The value of an option or argument that must be there.</summary>
    public T Value<T>(Option<T> option) => arguments.GetValue(option)!;

    /// <inheritdoc cref="Value{T}(Option{T})"/>
    public T Value<T>(Argument<T> argument) => arguments.GetValue(argument)!;

    /// <summary>Lets a command run this way: one sentence for what goes wrong, and the exit codes that the help promises.</summary>
    public static Command Runs(Command command, Func<CommandRun, CancellationToken, Task> run)
    {
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var isJson = arguments.GetValue(Json);
            try
            {
                using var server = ServerConnection.Open();
                await run(new CommandRun(arguments, server, isJson), cancellationToken);
                return ExitCode.Done;
            }
            catch (UsageException e)
            {
                await Console.Error.WriteLineAsync(e.Message);
                return ExitCode.Usage;
            }
            catch (RefusedException e)
            {
                await Console.Error.WriteLineAsync(e.Code is null ? e.Message : $"{e.Message} ({e.Code})");
                return ExitCode.Refused;
            }
        });
        return command;
    }

    /// <summary>Prints an answer: as JSON when that was asked for, otherwise as people read it.</summary>
    public void Print<T>(T answer, JsonTypeInfo<T> type, Action<T> print)
    {
        if (!isJson)
        {
            print(answer);
            return;
        }
        using var output = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(output, Indented)) JsonSerializer.Serialize(writer, answer, type);
        output.WriteByte((byte)'\n');
    }

    /// <summary>Prints a table; one line when it has no rows.</summary>
    public static void PrintTable(string none, string[] columns, IEnumerable<string[]> rows)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (var column in columns) table.AddColumn(new TableColumn(new Text(column)));
        foreach (var row in rows) table.AddRow(row.Select(cell => new Text(cell)));
        if (table.Rows.Count == 0) Console.WriteLine(none);
        else AnsiConsole.Write(table);
    }
}
