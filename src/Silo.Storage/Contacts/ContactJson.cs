using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Silo.Contracts.Contacts;

namespace Silo.Storage.Contacts;

/// <summary>A contact that was just added, in the same form as <see cref="ContactSql.Json"/> gives it later.</summary>
internal static class ContactJson
{
    private static readonly JsonEncodedText Id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText Name = JsonEncodedText.Encode("name");
    private static readonly JsonEncodedText Email = JsonEncodedText.Encode("email");
    private static readonly JsonEncodedText Phone = JsonEncodedText.Encode("phone");
    private static readonly JsonEncodedText Company = JsonEncodedText.Encode("company");
    private static readonly JsonEncodedText Notes = JsonEncodedText.Encode("notes");
    private static readonly JsonEncodedText AgentId = JsonEncodedText.Encode("agentId");
    private static readonly JsonEncodedText CreatedAt = JsonEncodedText.Encode("createdAt");
    private static readonly JsonEncodedText UpdatedAt = JsonEncodedText.Encode("updatedAt");

    private static readonly JsonWriterOptions Options = new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(string id, ContactFields fields, string time)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(buffer, Options);
        json.WriteStartObject();
        json.WriteString(Id, id);
        json.WriteString(Name, fields.Name);
        json.WriteString(Email, fields.Email);
        json.WriteString(Phone, fields.Phone);
        json.WriteString(Company, fields.Company);
        json.WriteString(Notes, fields.Notes);
        json.WriteString(AgentId, fields.AgentId);
        json.WriteString(CreatedAt, time);
        json.WriteString(UpdatedAt, time);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
