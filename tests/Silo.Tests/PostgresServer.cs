using System.Diagnostics;
using Npgsql;
using Silo.LibSql;

namespace Silo.Tests;

/// <summary>
/// A PostgreSQL of one test's own: the installed program (Debian's package), on loopback, as a user that is not root, with its files
/// in memory, and a password, as one has that serves anybody. It can be away for a while.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>Without it nobody is let in.</summary>
    public const string Password = "very-secret";

    private const string User = "silo";

    // PostgreSQL's own user must reach it, and cannot pass through a folder that is only ours.
    private readonly string _folder = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : "/tmp", $"silo-test-pg-{Guid.NewGuid():n}");
    private readonly int _port = LoopbackPort.Take();
    private Process? _process;

    private PostgresServer()
    {
    }

    private string Data => Path.Combine(_folder, "data");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Makes a new, empty one.</summary>
    public static async Task<PostgresServer> StartNewAsync()
    {
        var server = new PostgresServer();
        try
        {
            Directory.CreateDirectory(server._folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var password = Path.Combine(server._folder, "password");
            await File.WriteAllTextAsync(password, Password, Cancellation);
            if (IsRoot) await RunAsync("chown", "-R", "postgres:postgres", server._folder);
            await RunAsync([.. AsOther, Program("initdb"), $"--pgdata={server.Data}", "--auth=scram-sha-256", $"--pwfile={password}", $"--username={User}", "--encoding=UTF8", "--locale=C", "--no-sync"]);
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>The connection string of a database that is made when there is none.</summary>
    public async Task<string> DatabaseAsync(string name)
    {
        await using (var connection = new NpgsqlConnection(To("postgres") + ";Pooling=false"))
        {
            await connection.OpenAsync(Cancellation);
            await using var command = connection.CreateCommand();
            command.CommandText = $"CREATE DATABASE {name}";
            await command.ExecuteNonQueryAsync(Cancellation);
        }
        return To(name);
    }

    /// <summary>Starts it again, with all that it had.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = "/" };
        string[] command = [.. AsOther, Program("postgres"), "-D", Data, "-p", $"{_port}", "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"];
        start.FileName = command[0];
        foreach (var argument in command.Skip(1)) start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.GetAsync(async () => await AnswersAsync() ? "yes" : null, "PostgreSQL answers");
    }

    /// <summary>Ends it at once: connections break, and further ones are refused.</summary>
    public async Task StopAsync()
    {
        if (_process is null) return;
        // SIGQUIT: immediate shutdown; its own children end with it.
        if (!_process.HasExited) await RunAsync("kill", "-QUIT", $"{_process.Id}");
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }

    private static bool IsRoot => Environment.UserName == "root";

    private static string[] AsOther => IsRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

    private string To(string database) => $"Host=127.0.0.1;Port={_port};Database={database};Username={User};Password={Password}";

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(To("postgres") + ";Pooling=false");
            await connection.OpenAsync(Cancellation);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static string Program(string name) => Directory.Exists("/usr/lib/postgresql")
        ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(version => Path.Combine(version, "bin", name)).Where(File.Exists).Max() ?? name
        : name;

    private static async Task RunAsync(params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = "/" };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = await process.StandardError.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        if (process.ExitCode != 0) throw new InvalidOperationException($"{string.Join(' ', command)}: {output}{error}");
    }
}
