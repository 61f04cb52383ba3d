using CsCheck;

namespace Silo.Tests.Storage.Lease;

/// <summary>The lease's logic against everything that a network, a clock and a bucket may do. A failure prints a seed; <c>CsCheck_Seed</c> replays it.</summary>
public sealed class LeaseSimulationTests
{
    private const int Runs = 3_000;
    private const int Moves = 200;

    private static readonly Gen<SimulatedMove> Move = Gen.Select(
        Gen.Frequency(
            (40, Gen.Const(SimulatedEvent.Pass)), (14, Gen.Const(SimulatedEvent.Start)), (22, Gen.Const(SimulatedEvent.Write)), (8, Gen.Const(SimulatedEvent.Publish)),
            (4, Gen.Const(SimulatedEvent.Renew)), (3, Gen.Const(SimulatedEvent.Release)), (3, Gen.Const(SimulatedEvent.Crash)), (4, Gen.Const(SimulatedEvent.Freeze)),
            (2, Gen.Const(SimulatedEvent.ReleaseExpired))),
        Gen.Int[0, 2],
        Gen.Int[0, 999],
        (what, owner, size) => new SimulatedMove(what, owner, size));

    [Fact]
    public void Lease_WhateverHappens_HasOneWriterAndLosesNothing()
    {
        long runs = 0, takes = 0, answered = 0, refused = 0, moved = 0, resumed = 0;
        Gen.Select(Gen.Int, Move.Array[Moves]).Sample(
            (seed, moves) =>
            {
                var simulation = new LeaseSimulation(seed);
                simulation.Run(moves);
                Interlocked.Increment(ref runs);
                Interlocked.Add(ref takes, simulation.Bucket.Takes);
                Interlocked.Add(ref answered, simulation.Answered);
                Interlocked.Add(ref refused, simulation.Refused);
                Interlocked.Add(ref moved, simulation.MovedAway);
                Interlocked.Add(ref resumed, simulation.Resumed);
            },
            iter: Runs);

        // A world in which little happens proves little.
        TestContext.Current.TestOutputHelper?.WriteLine($"{runs} runs: {takes} takes, {answered} writes answered, {refused} refusals, {moved} owners moved away, {resumed} leases resumed");
        Assert.True(runs >= 2_000 && takes > 3 * runs && answered > 5 * runs && refused > runs && moved > runs / 4 && resumed > runs / 20);
    }
}
