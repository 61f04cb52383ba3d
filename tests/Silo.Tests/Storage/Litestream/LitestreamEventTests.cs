using Silo.Storage.Litestream;

namespace Silo.Tests.Storage.Litestream;

public sealed class LitestreamEventTests
{
    // Lines as 0.3.13 printed them.
    private const string Generation = """{"time":"2026-11-23T20:00:00Z","level":"INFO","msg":"sync: new generation","db":"/x.db","generation":"0123456789abcdef","reason":"no generation exists"}""";
    private const string Snapshot = """{"time":"2026-11-23T20:00:00Z","level":"INFO","msg":"snapshot written","db":"/x.db","replica":"gcs","position":"0123456789abcdef/00000000:4152","elapsed":"6.1ms","sz":2011}""";
    private const string Segment = """{"time":"2026-11-23T20:00:00Z","level":"INFO","msg":"wal segment written","db":"/x.db","replica":"gcs","position":"0123456789abcdef/0000000a:8272","elapsed":"2.3ms","sz":12360}""";

    [Fact]
    public void Parse_NewGeneration_NamesIt()
    {
        var happened = LitestreamEvent.Parse(Generation);
        Assert.Equal(LitestreamEventKind.GenerationStarted, happened.Kind);
        Assert.Equal("0123456789abcdef", happened.Position.Generation);
    }

    [Fact]
    public void Parse_Snapshot_NamesItsPosition() =>
        Assert.Equal((LitestreamEventKind.SnapshotWritten, new ReplicaPosition("0123456789abcdef", 0, 4152)), (LitestreamEvent.Parse(Snapshot).Kind, LitestreamEvent.Parse(Snapshot).Position));

    [Fact]
    public void Parse_Segment_NamesWhereItBeginsAndItsSize()
    {
        var happened = LitestreamEvent.Parse(Segment);
        Assert.Equal(LitestreamEventKind.SegmentWritten, happened.Kind);
        Assert.Equal(new ReplicaPosition("0123456789abcdef", 10, 8272), happened.Position);
        Assert.Equal(12360, happened.Bytes);
    }

    [Theory]
    [InlineData("""{"time":"2026-12-01T12:12:29Z","level":"INFO","msg":"signal received, litestream shutting down"}""")]
    [InlineData("""{"time":"2026-12-01T12:12:29Z","level":"INFO","msg":"subprocess exited, litestream shutting down"}""")]
    public void Parse_LastSyncToCome_IsTold(string line) => Assert.Equal(LitestreamEventKind.Ending, LitestreamEvent.Parse(line).Kind);

    [Fact]
    public void Parse_Error_IsAFailureWithItsText()
    {
        var happened = LitestreamEvent.Parse("""{"level":"ERROR","msg":"monitor error","error":"googleapi: got HTTP response code 503"}""");
        Assert.Equal(LitestreamEventKind.Failure, happened.Kind);
        Assert.Equal("monitor error: googleapi: got HTTP response code 503", happened.Text);
    }

    [Theory]
    [InlineData("panic: runtime error")]
    [InlineData("{\"level\":")]
    [InlineData("[]")]
    [InlineData("null")]
    public void Parse_WhatIsNoLogLine_IsPassedOnAsAnError(string line) =>
        Assert.Equal((LitestreamEventKind.Other, "ERROR", line), (LitestreamEvent.Parse(line).Kind, LitestreamEvent.Parse(line).Level, LitestreamEvent.Parse(line).Text));

    [Theory]
    [InlineData("0123456789abcde/00000000:0")]
    [InlineData("0123456789abcdeX/00000000:0")]
    [InlineData("0123456789abcdef/zz:0")]
    [InlineData("0123456789abcdef/00000000:-1")]
    [InlineData("0123456789abcdef:0/1")]
    [InlineData("")]
    [InlineData(null)]
    public void TryParsePosition_Malformed_IsRefused(string? text) => Assert.False(ReplicaPosition.TryParse(text, out _));
}
