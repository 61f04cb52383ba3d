namespace Silo.SystemTests.Faults;

/// <summary>An operator puts an organization away where it is, and its members go to another owner: nothing is wrong with anybody.</summary>
internal sealed record Handover(string Organization, int Choice) : IFault
{
    public string Kind => "handover";

    public async Task BeginAsync(World world)
    {
        var from = world.Home(Organization);
        var others = world.Owners.Where(owner => owner != from && owner is { IsUp: true, IsFrozen: false }).ToList();
        if (from is not { IsFrozen: false, Service: { } service } || others.Count == 0) return;
        try
        {
            await service.Operator.PostAsync($"/api/admin/databases/{Organization}/deactivate");
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            // It dies at this moment, or is busy with another fault: then the lease decides when the other one may have it.
        }
        world.Move(Organization, others[Choice % others.Count]);
    }

    public Task HealAsync(World world) => Task.CompletedTask;
}
