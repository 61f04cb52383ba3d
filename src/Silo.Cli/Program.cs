using System.CommandLine;
using Silo.Cli;
using Silo.Cli.Commands;

var root = new RootCommand($"""
    Operates Silo over its admin API.

    {ServerConnection.UrlVariable} names the server (default {ServerConnection.DefaultUrl}), {ServerConnection.TokenVariable} has an admin's token.
    Exit codes: {ExitCode.Done} done, {ExitCode.Refused} refused or failed, {ExitCode.Usage} the command line or the settings are wrong.
    """)
{
    CommandRun.Json,
    ImportCommand.Make(),
    ExportCommand.Make(),
    RestoreCommand.Make(),
    OrganizationsCommand.Make(),
    MigrateCommand.Make(),
    LocksCommand.Make(),
    AuditCommand.Make(),
    WarmCommand.Make(),
    DatabasesCommand.Make(),
};
var arguments = root.Parse(args);
var code = await arguments.InvokeAsync();
return arguments.Errors.Count > 0 ? ExitCode.Usage : code;
