using Silo.Contracts.Hosting;

namespace Silo.SystemTests.Machines;

/// <summary>A standalone host that serves.</summary>
internal sealed class StandaloneHost(HostProcess process, ReadyFile ready)
{
    public HostProcess Process => process;

    public ReadyFile Ready => ready;

    public Service Service { get; } = new(ready.Url!);

    public Bucket Bucket { get; } = new(new Uri(ready.BucketUrl!), "silo");

    public Client Operator => Service.Operator;

    public Client Member(string organization) => Service.Member(organization);

    /// <summary>Runs the command line against it.</summary>
    /// <param name="code">The exit code that is expected.</param>
    /// <param name="arguments">What is typed.</param>
    /// <returns>What it printed: output and errors.</returns>
    public async Task<string> CommandAsync(int code, params string[] arguments)
    {
        var program = HostProcess.Start([HostProcess.Program("silo"), .. arguments], readyFile: null, ("SILO_URL", ready.Url!), ("SILO_TOKEN", Service.Tokens.Admin()));
        await using (program)
        {
            Assert.True(await program.ExitAsync() == code, $"silo {string.Join(' ', arguments)} ended otherwise than with {code}: {program.Output}{program.Errors}");
            return program.Output + program.Errors;
        }
    }

    public Task<int> TerminateAsync() => process.TerminateAsync();

    public Task<int> KillAsync() => process.KillAsync();
}
