using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Silo.Cluster.Placement;

/// <summary>Places databases where they cost least (<see cref="SiloLoad.Cost"/>). One that is active stays where it is.</summary>
[Serializable, GenerateSerializer, Immutable, Alias("silo.DatabasePlacement")]
internal sealed class DatabasePlacement : PlacementStrategy;

/// <inheritdoc cref="DatabasePlacement"/>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class DatabasePlacementAttribute() : PlacementAttribute(new DatabasePlacement());

internal sealed class DatabasePlacementDirector(SiloLoads loads) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var silos = context.GetCompatibleSilos(target);
        return Task.FromResult(IPlacementDirector.GetPlacementHint(target.RequestContextData, silos) ?? loads.Place(silos));
    }
}
