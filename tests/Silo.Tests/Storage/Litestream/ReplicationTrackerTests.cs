using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Silo.Storage.Litestream;
using Silo.Storage.Sqlite;

namespace Silo.Tests.Storage.Litestream;

public sealed class ReplicationTrackerTests
{
    private const string Generation = "0123456789abcdef";
    private const string Next = "fedcba9876543210";
    private readonly FakeTimeProvider _time = new();
    private ulong _salt = 1;

    private ReplicationTracker Tracker() => new(() => _salt, _time);

    private static WalPosition At(ulong salt, int frames) => new(salt, frames, 4096);

    [Fact]
    public void Uploaded_OfPublishedGeneration_ConfirmsWhatItReaches()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        tracker.Committed(At(1, 5));
        tracker.Uploaded(Generation, 1, At(1, 3).Bytes);
        Assert.Equal(1, tracker.DurableCommit);
        Assert.False(tracker.IsCaughtUp);
        tracker.Uploaded(Generation, 1, At(1, 5).Bytes);
        Assert.True(tracker.IsCaughtUp);
    }

    [Fact]
    public void Uploaded_OneByteShort_ConfirmsNothing()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        tracker.Uploaded(Generation, 1, At(1, 3).Bytes - 1);
        Assert.Equal(0, tracker.DurableCommit);
    }

    [Fact]
    public void Uploaded_OfUnpublishedGeneration_CountsFromThePublicationOn()
    {
        var tracker = Tracker();
        tracker.Committed(At(1, 3));
        tracker.Uploaded(Generation, 1, At(1, 3).Bytes);
        Assert.Equal(0, tracker.DurableCommit);
        tracker.Published("ffffffffffffffff");
        Assert.Equal(0, tracker.DurableCommit);
        tracker.Published(Generation);
        Assert.Equal(1, tracker.DurableCommit);
    }

    [Fact]
    public void Uploaded_BeforeTheCommitIsNoted_ConfirmsIt()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Uploaded(Generation, 1, At(1, 9).Bytes);
        tracker.Committed(At(1, 9));
        Assert.True(tracker.IsCaughtUp);
    }

    [Fact]
    public void Uploaded_OfTheNextWal_ConfirmsAllOfTheOneBefore()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 500));
        _salt = 2;
        // What Litestream itself writes after a checkpoint: a short piece of a WAL that no commit of ours is in.
        tracker.Uploaded(Generation, 2, At(2, 1).Bytes);
        Assert.True(tracker.IsCaughtUp);
    }

    [Fact]
    public void Uploaded_OfAnEarlierWal_DoesNotConfirmTheNext()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 500));
        _salt = 2;
        tracker.Committed(At(2, 3));
        tracker.Uploaded(Generation, 1, At(1, 900).Bytes);
        Assert.Equal(1, tracker.DurableCommit);
    }

    [Fact]
    public void Committed_NotedAfterItsWalWasRestarted_IsConfirmedByTheNextWal()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        _salt = 2;
        tracker.Uploaded(Generation, 2, At(2, 1).Bytes);
        tracker.Committed(At(1, 40)); // measured before the restart, noted after it
        Assert.True(tracker.IsCaughtUp);
    }

    [Fact]
    public void Uploaded_OfAnUnknownWal_ConfirmsNothing()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        tracker.Uploaded(Generation, 0, At(1, 9).Bytes);
        tracker.Uploaded(Generation, 77, At(1, 9).Bytes);
        Assert.Equal(0, tracker.DurableCommit);
    }

    [Fact]
    public void Lag_IsTheAgeOfTheOldestUnconfirmedCommit()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 1));
        _time.Advance(TimeSpan.FromSeconds(3));
        tracker.Committed(At(1, 2));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(TimeSpan.FromSeconds(5), tracker.Lag);
        tracker.Uploaded(Generation, 1, At(1, 1).Bytes);
        Assert.Equal(TimeSpan.FromSeconds(2), tracker.Lag);
        Assert.Equal(At(1, 2).Bytes - At(1, 1).Bytes, tracker.LagBytes);
        tracker.Uploaded(Generation, 1, At(1, 2).Bytes);
        Assert.Equal((TimeSpan.Zero, 0L), (tracker.Lag, tracker.LagBytes));
    }

    [Fact]
    public async Task WaitAsync_OneUpload_ReleasesAllThatItReaches()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        var first = tracker.WaitAsync(tracker.Committed(At(1, 1)), CancellationToken.None);
        var second = tracker.WaitAsync(tracker.Committed(At(1, 2)), CancellationToken.None);
        var third = tracker.WaitAsync(tracker.Committed(At(1, 3)), CancellationToken.None);
        tracker.Uploaded(Generation, 1, At(1, 2).Bytes);
        await Task.WhenAll(first, second);
        Assert.False(third.IsCompleted);
    }

    [Fact]
    public async Task WaitAsync_Cancelled_LeavesTheOthersWaiting()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        var commit = tracker.Committed(At(1, 1));
        using var gone = new CancellationTokenSource();
        var given = tracker.WaitAsync(commit, gone.Token);
        var kept = tracker.WaitAsync(commit, CancellationToken.None);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        tracker.Uploaded(Generation, 1, At(1, 1).Bytes);
        await kept;
    }

    [Fact]
    public void Published_NextGeneration_TakesOverOnlyWithWhatItHas()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 10));
        tracker.Uploaded(Generation, 1, At(1, 10).Bytes);
        tracker.Committed(At(1, 20));

        tracker.Uploaded(Next, 1, At(1, 9).Bytes);
        Assert.False(tracker.Covers(Next)); // what was confirmed before would be gone
        tracker.Uploaded(Next, 1, At(1, 20).Bytes);
        Assert.True(tracker.Covers(Next));
        Assert.Equal(1, tracker.DurableCommit); // not before the head names it
        tracker.Published(Next);
        Assert.Equal(2, tracker.DurableCommit);
    }

    [Fact]
    public void Uploaded_OfTheFormerGeneration_CountsUntilTheNextIsPublished()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 10));
        tracker.Uploaded(Generation, 1, At(1, 10).Bytes); // still what the head names, whatever Litestream has begun since
        Assert.Equal(1, tracker.DurableCommit);
        tracker.Published(Next);
        tracker.Committed(At(1, 20));
        tracker.Uploaded(Generation, 1, At(1, 20).Bytes);
        Assert.Equal(1, tracker.DurableCommit);
    }

    [Fact]
    public void Covers_LeftoverWithAWal_WantsAllOfIt()
    {
        var tracker = new ReplicationTracker(() => _salt, _time, At(1, 30));
        tracker.Uploaded(Generation, 1, At(1, 29).Bytes);
        Assert.False(tracker.Covers(Generation));
        tracker.Uploaded(Generation, 1, At(1, 30).Bytes);
        Assert.True(tracker.Covers(Generation));
    }

    [Fact]
    public void GenerationEnded_ConfirmsNothingBeforeTheNextIsThere()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Uploaded(Generation, 1, At(1, 9).Bytes);
        tracker.GenerationEnded();
        tracker.Committed(At(1, 9));
        Assert.Equal(0, tracker.DurableCommit);
    }

    [Fact]
    public void Uploaded_OfTheNextWalWithoutTheEndOfTheLast_IsAGapAndConfirmsNothing()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        tracker.Uploaded(Generation, 1, At(1, 3).Bytes);
        tracker.Committed(At(1, 5)); // checkpointed before Litestream had copied it
        _salt = 2;
        tracker.Committed(At(2, 3));
        tracker.Uploaded(Generation, 2, At(2, 3).Bytes);
        Assert.True(tracker.HasGap);
        Assert.Equal(1, tracker.DurableCommit);

        tracker.Uploaded(Next, 2, At(2, 3).Bytes);
        tracker.Published(Next);
        Assert.False(tracker.HasGap);
        Assert.True(tracker.IsCaughtUp);
    }

    [Fact]
    public void Uploaded_OfTheNextWalAfterALostAnswer_IsNoGap()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        tracker.Uploaded(Generation, 1, At(1, 3).Bytes);
        tracker.Committed(At(1, 5));
        tracker.UploadFailed(); // the piece is in the bucket, and Litestream finds it there without a word
        _salt = 2;
        tracker.Committed(At(2, 3));
        tracker.Uploaded(Generation, 2, At(2, 3).Bytes);
        Assert.False(tracker.HasGap);
        Assert.True(tracker.IsCaughtUp);
    }

    [Fact]
    public void LagBytes_OverSeveralWals_CountsAll()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        tracker.Committed(At(1, 10));
        _salt = 2;
        tracker.Committed(At(2, 4));
        Assert.Equal(At(1, 10).Bytes + At(2, 4).Bytes, tracker.LagBytes);
        tracker.Uploaded(Generation, 1, At(1, 10).Bytes);
        Assert.Equal(At(2, 4).Bytes, tracker.LagBytes);
    }

    [Fact]
    public void NextConfirmation_CompletesOncePerConfirmation()
    {
        var tracker = Tracker();
        tracker.Published(Generation);
        tracker.Committed(At(1, 3));
        var first = tracker.NextConfirmation;
        Assert.False(first.IsCompleted);
        tracker.Uploaded(Generation, 1, At(1, 3).Bytes);
        Assert.True(first.IsCompleted);
        Assert.False(tracker.NextConfirmation.IsCompleted);
    }

    /// <summary>Against a model: a WAL that grows and restarts, uploads in order at random points. Never too early, and at the end all.</summary>
    [Fact]
    public void DurableCommit_AnyOrderOfCommitsRestartsAndUploads_IsNeverAhead() =>
        Gen.Int[0, 5].Array[1, 200].Sample(steps =>
        {
            ulong salt = 1;
            var tracker = new ReplicationTracker(() => salt, _time);
            tracker.Published(Generation);
            var commits = new List<(ulong Salt, int Frames)>();
            var frames = 0;
            var uploadedSalt = 1UL;
            var uploadedFrames = 0;
            foreach (var step in steps)
            {
                switch (step)
                {
                    case <= 2:
                        frames += step + 1;
                        commits.Add((salt, frames));
                        tracker.Committed(At(salt, frames));
                        break;
                    case 3 when frames > 0:
                        salt++;
                        frames = 1; // Litestream's own write
                        break;
                    default:
                        // The next piece in order: the rest of the WAL that was reached, or the beginning of the one after it.
                        if (uploadedSalt < salt && uploadedFrames == int.MaxValue) (uploadedSalt, uploadedFrames) = (uploadedSalt + 1, 0);
                        uploadedFrames = uploadedSalt < salt ? int.MaxValue : frames;
                        tracker.Uploaded(Generation, uploadedSalt, uploadedSalt < salt ? At(salt, 1_000_000).Bytes : At(salt, frames).Bytes);
                        break;
                }
                var truth = commits.Count(c => c.Salt < uploadedSalt || (c.Salt == uploadedSalt && c.Frames <= uploadedFrames));
                Assert.True(tracker.DurableCommit <= truth, $"{tracker.DurableCommit} of {truth}");
            }
            for (; uploadedSalt < salt; uploadedSalt++) tracker.Uploaded(Generation, uploadedSalt, At(salt, 1_000_000).Bytes);
            tracker.Uploaded(Generation, salt, At(salt, frames).Bytes);
            Assert.True(tracker.IsCaughtUp);
        });
}
