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

    public Task<int> TerminateAsync() => process.TerminateAsync();

    public Task<int> KillAsync() => process.KillAsync();
}
