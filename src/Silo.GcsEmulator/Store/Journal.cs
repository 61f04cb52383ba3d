using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Silo.GcsEmulator.Store;

/// <summary>
/// The truth about a bucket: one line per change, <c>crc32c json</c>. A change is done when its line is written in whole;
/// a last line cut short by a crash never happened. Callers take turns (the bucket's lock).
/// </summary>
internal sealed class Journal : IDisposable
{
    private const int ChecksumCharacters = 8;

    private readonly MemoryStream _line = new();
    private readonly bool _flushToDisk;
    private SafeFileHandle _file;
    private long _end;

    private Journal(SafeFileHandle file, long end, bool flushToDisk) => (_file, _end, _flushToDisk) = (file, end, flushToDisk);

    /// <summary>How many lines the file has, live or not.</summary>
    public long Lines { get; private set; }

    /// <summary>Opens the journal, gives every record in it to <paramref name="replay"/> and cuts off a torn last line.</summary>
    public static async Task<Journal> OpenAsync(string path, bool flushToDisk, Action<JournalRecord> replay, CancellationToken cancellationToken)
    {
        long end = 0, lines = 0;
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
                    replay(Decode(line) ?? throw Damaged(path, lines + 1));
                    end += line.Length + 1;
                    lines++;
                    buffer = buffer.Slice(buffer.GetPosition(1, newline));
                }
                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted) break;
            }
        }
        var file = OpenForAppend(path, FileMode.Open);
        RandomAccess.SetLength(file, end);
        return new Journal(file, end, flushToDisk) { Lines = lines };
    }

    /// <summary>Writes a new journal in one piece: a crash leaves the old one or the new one.</summary>
    public static Journal Create(string path, bool flushToDisk, IEnumerable<JournalRecord> records)
    {
        var fresh = path + ".new";
        File.Delete(fresh);
        var journal = new Journal(OpenForAppend(fresh, FileMode.CreateNew), 0, flushToDisk);
        try
        {
            foreach (var record in records) journal.Write(record, flush: false);
            if (flushToDisk) RandomAccess.FlushToDisk(journal._file);
            File.Move(fresh, path, overwrite: true);
            return journal;
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>Makes one change permanent, or throws and leaves the file as it was.</summary>
    public void Append(JournalRecord record) => Write(record, _flushToDisk);

    /// <summary>Replaces the file behind this journal by one that holds only these records.</summary>
    public void Rewrite(string path, IEnumerable<JournalRecord> records)
    {
        var fresh = Create(path, _flushToDisk, records);
        _file.Dispose();
        (_file, _end, Lines) = (fresh._file, fresh._end, fresh.Lines);
    }

    public void Dispose() => _file.Dispose();

    private void Write(JournalRecord record, bool flush)
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
            if (flush) RandomAccess.FlushToDisk(_file);
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
