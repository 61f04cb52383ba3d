using System.Diagnostics;
using System.Globalization;
using Silo.SystemTests.Faults;

namespace Silo.SystemTests;

/// <summary>Everything that can go wrong, at random: three owners, several organizations, one bucket. No promise is broken.</summary>
public sealed class RandomMixTests
{
    private const int Owners = 3;
    private const int Organizations = 4;
    private const int Rounds = 28; // every kind of fault once (Schedule)

    /// <summary>Worlds at once, among which the rounds are dealt: a round mostly waits for leases to run out.</summary>
    private const int Worlds = 2;

    private const int DefaultSeed = 700201;

    /// <summary>
    /// SILO_TEST_SEED names another schedule. SILO_SOAK_MINUTES goes on with further seeds for so long, and SILO_SOAK_REPORT names the
    /// file that is told meanwhile (tests/soak.sh sets them, from a random seed unless told).
    /// </summary>
    [Fact]
    public async Task Owners_UnderARandomMixOfFaults_KeepEveryPromise()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("SILO_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : DefaultSeed;
        var length = TimeSpan.FromMinutes(double.TryParse(Environment.GetEnvironmentVariable("SILO_SOAK_MINUTES"), CultureInfo.InvariantCulture, out var minutes) ? minutes : 0);
        var since = Stopwatch.StartNew();
        Tally[] tallies = [.. Enumerable.Range(0, Worlds).Select(_ => new Tally())];
        do
        {
            var of = seed++;
            await Task.WhenAll(tallies.Select((tally, world) => RunAsync(of, world, tally)));
            foreach (var tally in tallies) Say(tally.ToString());
        }
        while (since.Elapsed < length);
    }

    private static async Task RunAsync(int seed, int part, Tally tally)
    {
        tally.Seeds.Add(seed);
        Say($"SILO_TEST_SEED={seed}, world {part + 1} of {Worlds}");
        await using var world = await World.StartAsync(Owners, Organizations, tally);
        try
        {
            foreach (var round in new Schedule(seed, Owners, world.Organizations).Rounds().Take(Rounds).Where(round => round.Number % Worlds == part))
            {
                var begun = world.Recorder.Now;
                await round.RunAsync(world);
                Say(string.Create(CultureInfo.InvariantCulture, $"{round}: {(world.Recorder.Now - begun).TotalSeconds:0.0} s"));
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Say($"FAILED: {e.Message}\nRepeat it with SILO_TEST_SEED={seed}");
            throw;
        }
    }

    private static void Say(string line)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(line);
        if (Environment.GetEnvironmentVariable("SILO_SOAK_REPORT") is { Length: > 0 } report) File.AppendAllText(report, line + "\n");
    }
}
