using System.Text.Json;

namespace Silo.GcsEmulator;

/// <summary>Tells whoever started the process that it serves, and where.</summary>
internal static class ReadyFile
{
    /// <summary>Writes it in one piece: a reader sees all of it or nothing.</summary>
    public static void Write(string path, GcsEmulatorServer server)
    {
        var fresh = $"{path}.{Environment.ProcessId}.new";
        using (var file = File.Create(fresh))
        using (var json = new Utf8JsonWriter(file))
        {
            json.WriteStartObject();
            json.WriteNumber("pid", Environment.ProcessId);
            json.WriteString("bucketUrl", server.Url.GetLeftPart(UriPartial.Authority));
            json.WriteString("dataDirectory", server.DataDirectory);
            json.WriteEndObject();
        }
        File.Move(fresh, path, overwrite: true);
    }
}
