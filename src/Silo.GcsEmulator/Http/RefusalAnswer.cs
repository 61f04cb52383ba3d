using System.Security;
using System.Text;

namespace Silo.GcsEmulator.Http;

/// <summary>Turns a refusal into the error that a client of the JSON or of the XML API expects.</summary>
internal static class RefusalAnswer
{
    public static Task WriteAsync(HttpContext context, GcsRefusal refusal)
    {
        var date = context.Response.Headers.Date;
        context.Response.Clear();
        context.Response.Headers.Date = date;
        context.Response.Headers.ContentRange = refusal.ContentRange;
        if (refusal.Status == StatusCodes.Status304NotModified)
        {
            context.Response.StatusCode = refusal.Status;
            return Task.CompletedTask;
        }
        return IsXml(context) ? WriteXmlAsync(context, refusal) : WriteJsonAsync(context, refusal);
    }

    private static Task WriteJsonAsync(HttpContext context, GcsRefusal refusal) => ResourceJson.AnswerAsync(
        context,
        json =>
        {
            json.WriteStartObject();
            json.WriteStartObject("error");
            json.WriteNumber("code", refusal.Status);
            json.WriteString("message", refusal.Message);
            json.WriteStartArray("errors");
            json.WriteStartObject();
            json.WriteString("message", refusal.Message);
            json.WriteString("domain", "global");
            json.WriteString("reason", refusal.Reason);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        },
        refusal.Status);

    private static async Task WriteXmlAsync(HttpContext context, GcsRefusal refusal)
    {
        var body = Encoding.UTF8.GetBytes(
            $"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{refusal.XmlCode}</Code><Message>{SecurityElement.Escape(refusal.Message)}</Message></Error>");
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "application/xml; charset=UTF-8";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method)) await context.Response.BodyWriter.WriteAsync(body, CancellationToken.None);
    }

    private static bool IsXml(HttpContext context)
    {
        var path = context.Request.Path;
        return !path.StartsWithSegments("/storage") && !path.StartsWithSegments("/upload") && !path.StartsWithSegments("/download")
            && !path.StartsWithSegments("/_emulator") && path != "/";
    }
}
