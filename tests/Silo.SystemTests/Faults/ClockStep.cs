namespace Silo.SystemTests.Faults;

/// <summary>The first owner's wall clock jumps by hours, and later back.</summary>
internal sealed record ClockStep(TimeSpan Step) : IFault
{
    public string Kind => $"clock stepped {(Step > TimeSpan.Zero ? "ahead" : "back")}";

    public Task BeginAsync(World world) => world.Owners[0].StepClockAsync(Step);

    public Task HealAsync(World world) => world.Owners[0].StepClockAsync(TimeSpan.Zero);
}
