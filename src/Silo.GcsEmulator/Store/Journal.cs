using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Silo.GcsEmulator.Store;

/// <summary>
/// The truth about a bucket: one line per change, <c>crc32c json</c>. A change is done when its line is written in whole;
/// a last line cut short by a crash never happened. Callers take turns (the bucket's lock), but to wait for the disk.
/// </summary>
internal sealed class Journal : IDisposable
{
    private const int ChecksumCharacters = 8;

    private readonly MemoryStream _line = new();
    private readonly DiskFlush _disk;
    private readonly SemaphoreSlim _flushing = new(1);
    private SafeFileHandle _file; // replaced under _flushing
    private long _end;
    private long _written; // lines since the start, the rewritten ones not counted
    private long _flushed; // how many of them the disk has; under _flushing

    private Journal(SafeFileHandle file, long end, DiskFlush disk) => (_file, _end, _disk) = (file, end, disk);

    /// <summary>How many lines the file has, live or not.</summary>
    public long Lines { get; private set; }

    /// <summary>
    /// Opens the journal, gives every record in it to <paramref name="replay"/> and cuts off a torn end: lines that no whole one follows.
    /// A power cut may leave all of their length and only some of their bytes.
    /// </summary>
    public static async Task<Journal> OpenAsync(string path, DiskFlush disk, Action<JournalRecord> replay, CancellationToken cancellationToken)
    {
        long end = 0, lines = 0, torn = 0;
        await using (var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16, useAsync: false))
        {
            var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 1 << 16));
            while (true)
            {
                var read = await reader.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } newline)
                {
                    var line = buffer.Slice(0, newline);
                    if (Decode(line) is not { } record)
                    {
                        torn++;
                    }
                    else
                    {
                        if (torn > 0) throw Damaged(path, lines + 1);
                        replay(record);
                        end += line.Length + 1;
                        lines++;
                    }
                    buffer = buffer.Slice(buffer.GetPosition(1, newline));
                }
                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted) break;
            }
        }
        if (lines == 0) throw Damaged(path, 1); // it was written in one piece with its bucket in it
        var file = OpenForAppend(path, FileMode.Open);
        RandomAccess.SetLength(file, end);
        // What a killed process wrote may not be on the disk yet, and content that is no longer named is about to be deleted.
        if (disk.Waits) disk.Force(file);
        return new Journal(file, end, disk) { Lines = lines };
    }

    /// <summary>
    /// Writes a new journal in one piece: a crash leaves the old one or the new one. The disk has it first, whatever the options say:
    /// a power cut after the renaming would otherwise leave an empty one, and it is rare.
    /// </summary>
    public static Journal Create(string path, DiskFlush disk, IEnumerable<JournalRecord> records)
    {
        var fresh = path + ".new";
        File.Delete(fresh);
        var journal = new Journal(OpenForAppend(fresh, FileMode.CreateNew), 0, disk);
        try
        {
            foreach (var record in records) journal.Write(record);
            disk.Force(journal._file);
            File.Move(fresh, path, overwrite: true);
            return journal;
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>Writes one change, or throws and leaves the file as it was.</summary>
    /// <returns>The line, for <see cref="FlushAsync"/>.</returns>
    public long Append(JournalRecord record)
    {
        Write(record);
        return Interlocked.Increment(ref _written);
    }

    /// <summary>
    /// In the durable mode, returns when the disk has this line. All who come while one waits for the disk share the next wait.
    /// A change whose flush fails is there, and may be lost.
    /// </summary>
    public async ValueTask FlushAsync(long line)
    {
        if (!_disk.Waits) return;
        await _flushing.WaitAsync();
        try
        {
            if (_flushed >= line) return;
            var written = Volatile.Read(ref _written);
            _disk.Force(_file);
            _flushed = written;
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>Replaces the file behind this journal by one that holds only these records.</summary>
    public void Rewrite(string path, IEnumerable<JournalRecord> records)
    {
        var fresh = Create(path, _disk, records);
        _flushing.Wait();
        _file.Dispose();
        (_file, _end, Lines) = (fresh._file, fresh._end, fresh.Lines);
        _flushed = _written;
        _flushing.Release();
    }

    public void Dispose() => _file.Dispose();

    private void Write(JournalRecord record)
    {
        _line.SetLength(ChecksumCharacters + 1);
        _line.Position = ChecksumCharacters + 1;
        JsonSerializer.Serialize(_line, record, JournalJson.Default.JournalRecord);
        _line.WriteByte((byte)'\n');

        var line = _line.GetBuffer().AsSpan(0, (int)_line.Length);
        Crc32c.Of(line[(ChecksumCharacters + 1)..^1]).TryFormat(line, out _, "x8", CultureInfo.InvariantCulture);
        line[ChecksumCharacters] = (byte)' ';
        try
        {
            RandomAccess.Write(_file, line, _end);
        }
        catch
        {
            RandomAccess.SetLength(_file, _end);
            throw;
        }
        _end += line.Length;
        Lines++;
    }

    private static JournalRecord? Decode(in ReadOnlySequence<byte> sequence)
    {
        var line = sequence.IsSingleSegment ? sequence.FirstSpan : sequence.ToArray();
        if (line.Length <= ChecksumCharacters + 1) return null;
        var json = line[(ChecksumCharacters + 1)..];
        if (!uint.TryParse(line[..ChecksumCharacters], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var checksum)
            || checksum != Crc32c.Of(json)) return null;
        return JsonSerializer.Deserialize(json, JournalJson.Default.JournalRecord);
    }

    private static SafeFileHandle OpenForAppend(string path, FileMode mode) =>
        File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);

    private static InvalidDataException Damaged(string path, long line) =>
        new($"Line {line} of {path} is damaged. Restore the file, or delete the bucket's folder to begin anew.");
}
