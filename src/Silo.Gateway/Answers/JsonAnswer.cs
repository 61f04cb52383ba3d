namespace Silo.Gateway.Answers;

/// <summary>Sends JSON that the grain has written, untouched and in one piece.</summary>
internal static class JsonAnswer
{
    private const string ContentType = "application/json; charset=utf-8";

    public static Task Write(HttpResponse response, byte[] utf8)
    {
        response.ContentType = ContentType;
        response.ContentLength = utf8.Length;
        return response.Body.WriteAsync(utf8, CancellationToken.None).AsTask();
    }
}
