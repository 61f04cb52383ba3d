using System.Security.Cryptography;
using Silo.SystemTests.Faults;

namespace Silo.SystemTests;

/// <summary>A database that Litestream uploads in several pieces (above 16 MB), while the pieces meet trouble.</summary>
public sealed class LargeUploadTests
{
    private const int Contacts = 1_900;
    private const int NotesBytes = 7_500; // 10,000 characters in base64, which do not compress

    [Fact]
    public async Task Snapshot_InPiecesThatMeetTrouble_IsWholeInTheEnd()
    {
        var tally = new Tally();
        await using var world = await World.StartAsync(owners: 2, organizations: 1, tally, "--Database:IdleTimeout=00:01:00", "--Litestream:PublishWait=00:00:10");
        var (organization, random) = (world.Organizations[0], new byte[NotesBytes]);
        for (var i = 0; i < Contacts; i++)
        {
            RandomNumberGenerator.Fill(random);
            var written = await world.WriteAsync(organization, world.Home(organization), replicated: false, Convert.ToBase64String(random));
            Assert.Equal(Outcome.Acknowledged, written.Outcome);
        }

        // Every new owner uploads the whole of it.
        foreach (var name in BucketTrouble.NamesForPieces)
            await new Round(tally.Rounds + 1, Seed: tally.Rounds, [new BucketTrouble(name, tally.Rounds, Moves: 1)], Before: 1, Hold: TimeSpan.FromSeconds(2)).RunAsync(world);
        TestContext.Current.TestOutputHelper?.WriteLine(tally.ToString());
    }
}
