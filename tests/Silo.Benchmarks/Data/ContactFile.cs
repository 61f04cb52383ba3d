using System.Globalization;
using System.Text;

namespace Silo.Benchmarks.Data;

/// <summary>A CSV file of contacts, made once: about 120 bytes a row.</summary>
internal static class ContactFile
{
    /// <summary>Writes it.</summary>
    /// <param name="path">A file that does not exist yet.</param>
    /// <param name="rows">How many contacts.</param>
    /// <param name="mark">What makes its addresses differ from those of another file.</param>
    public static void Write(string path, int rows, string mark)
    {
        const int NotesLength = 48;
        var samples = new ContactSamples(7);
        using var file = new StreamWriter(path, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 20);
        file.WriteLine("name,email,phone,company,notes");
        for (var row = 0; row < rows; row++)
        {
            // A multiplier that is odd gives each row another number, in no order: an index does not get them sorted.
            var contact = samples.Next(string.Create(CultureInfo.InvariantCulture, $"{mark}{(uint)row * 2654435761:x8}"));
            var notes = contact.Notes!;
            file.Write(string.Create(CultureInfo.InvariantCulture, $"{contact.Name},{contact.Email},{contact.Phone},{contact.Company},\"{notes[..Math.Min(NotesLength, notes.Length)]}\"\n"));
        }
    }
}
