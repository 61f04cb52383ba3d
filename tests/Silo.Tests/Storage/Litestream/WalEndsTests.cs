using Microsoft.Extensions.Logging.Abstractions;
using Silo.Contracts;
using Silo.Storage.Litestream;
using Silo.Tests.Storage.Gcs;

namespace Silo.Tests.Storage.Litestream;

public sealed class WalEndsTests(BucketFixture bucket) : IClassFixture<BucketFixture>
{
    private const string Generation = "0123456789abcdef";

    private readonly string _prefix = Guid.NewGuid().ToString("n");

    [Fact]
    public async Task End_OfAWalThatAnotherOneFollows_IsMarked() =>
        Assert.Equal(["00000000_00000060"], await MarksAsync(ends =>
        {
            ends.Uploaded(At(0, 0), 0x20, TestContext.Current.CancellationToken);
            ends.Uploaded(At(0, 0x20), 0x40, TestContext.Current.CancellationToken);
            ends.Uploaded(At(1, 0), 0x20, TestContext.Current.CancellationToken);
        }));

    /// <summary>The bucket may have had the next piece, and its answer was lost: Litestream finds it there and does not tell of it.</summary>
    [Fact]
    public async Task End_AfterAFailure_IsNotKnown() =>
        Assert.Empty(await MarksAsync(ends =>
        {
            ends.Uploaded(At(0, 0), 0x20, TestContext.Current.CancellationToken);
            ends.UploadFailed();
            ends.Uploaded(At(1, 0), 0x20, TestContext.Current.CancellationToken);
        }));

    [Fact]
    public async Task End_AfterAFailureAndAnotherPiece_IsKnownAgain() =>
        Assert.Equal(["00000000_00000080"], await MarksAsync(ends =>
        {
            ends.Uploaded(At(0, 0), 0x20, TestContext.Current.CancellationToken);
            ends.UploadFailed();
            ends.Uploaded(At(0, 0x40), 0x40, TestContext.Current.CancellationToken);
            ends.Uploaded(At(1, 0), 0x20, TestContext.Current.CancellationToken);
        }));

    private static ReplicaPosition At(int index, long offset) => new(Generation, index, offset);

    private async Task<List<string>> MarksAsync(Action<WalEnds> uploads)
    {
        using var client = BucketFixture.Client(bucket.Url);
        var ends = new WalEnds(client, OrganizationId.Parse("demo"), _prefix, NullLogger.Instance);
        uploads(ends);
        await ends.StopAsync();
        var marks = new List<string>();
        await foreach (var item in client.ListAsync(_prefix + "/", cancellationToken: TestContext.Current.CancellationToken)) marks.Add(item.Name.Split('/')[^1]);
        return marks;
    }
}
