using System.Text;
using Silo.Benchmarks.Load;

namespace Silo.Tests.Benchmarks;

public sealed class HttpAnswerTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", 200, "hello")]
    [InlineData("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n, \r\n world\r\n0\r\n\r\n", 200, "hello, \r\n world")]
    [InlineData("HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n", 204, "")]
    [InlineData("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503, "")]
    public void Answer_InAnyPieces_IsWholeAtItsEnd(string text, int status, string body)
    {
        for (var piece = 1; piece <= text.Length; piece++)
        {
            var answer = new HttpAnswer();
            var whole = false;
            foreach (var part in Encoding.ASCII.GetBytes(text).Chunk(piece))
            {
                Assert.False(whole);
                part.CopyTo(answer.Free);
                whole = answer.Advance(part.Length);
            }
            Assert.True(whole);
            Assert.Equal(status, answer.Status);
            Assert.Equal(body, Encoding.ASCII.GetString(answer.Body()));
        }
    }
}
