using System.Net;
using System.Text;

namespace Silo.Tests.GcsEmulator;

public sealed class PreconditionTests
{
    /// <summary>G is the object's generation; the object's metageneration is 1.</summary>
    [Theory]
    [InlineData("ifGenerationMatch=G", true, 200)]
    [InlineData("ifGenerationMatch=1", true, 412)]
    [InlineData("ifGenerationMatch=0", true, 412)]
    [InlineData("ifGenerationMatch=0", false, 200)]
    [InlineData("ifGenerationMatch=1", false, 412)]
    [InlineData("ifGenerationNotMatch=1", true, 200)]
    [InlineData("ifGenerationNotMatch=G", true, 412)]
    [InlineData("ifGenerationNotMatch=0", true, 200)]
    [InlineData("ifGenerationNotMatch=0", false, 412)]
    [InlineData("ifMetagenerationMatch=1", true, 200)]
    [InlineData("ifMetagenerationMatch=2", true, 412)]
    [InlineData("ifMetagenerationMatch=1", false, 412)]
    [InlineData("ifMetagenerationNotMatch=2", true, 200)]
    [InlineData("ifMetagenerationNotMatch=1", true, 412)]
    [InlineData("ifMetagenerationNotMatch=1", false, 412)]
    [InlineData("ifGenerationMatch=G&ifMetagenerationMatch=2", true, 412)]
    [InlineData("ifGenerationMatch=x", true, 400)]
    public async Task Insert_Condition_Decides(string condition, bool exists, int status)
    {
        await using var emulator = await Emulator.StartAsync();
        if (exists) condition = condition.Replace("G&", (await emulator.PutAsync("x", "old")).Generation + "&").Replace("=G", "=" + (await emulator.GetAsync("x")).Generation);
        using var answer = await emulator.InsertAsync("x", "new"u8.ToArray(), condition);
        Assert.Equal(status, (int)answer.StatusCode);
        if (status == 200) Assert.Equal("new"u8.ToArray(), await emulator.ReadAsync("x"));
        else if (exists) Assert.Equal("old"u8.ToArray(), await emulator.ReadAsync("x"));
        else Assert.Empty((await emulator.ListAsync()).Names);
    }

    [Theory]
    [InlineData("GET", "ifGenerationMatch=G", 200)]
    [InlineData("GET", "ifGenerationMatch=1", 412)]
    [InlineData("GET", "ifGenerationNotMatch=G", 304)]
    [InlineData("GET", "ifMetagenerationMatch=2", 412)]
    [InlineData("GET", "ifMetagenerationNotMatch=1", 304)]
    [InlineData("GET", "alt=media&ifGenerationMatch=1", 412)]
    [InlineData("GET", "alt=media&ifGenerationNotMatch=G", 304)]
    [InlineData("PATCH", "ifGenerationMatch=G", 200)]
    [InlineData("PATCH", "ifMetagenerationMatch=2", 412)]
    [InlineData("PATCH", "ifGenerationNotMatch=G", 412)]
    [InlineData("DELETE", "ifGenerationMatch=1", 412)]
    [InlineData("DELETE", "ifMetagenerationNotMatch=1", 412)]
    [InlineData("DELETE", "ifGenerationMatch=G", 204)]
    public async Task Request_Condition_Decides(string method, string condition, int status)
    {
        await using var emulator = await Emulator.StartAsync();
        condition = condition.Replace("=G", "=" + (await emulator.PutAsync("x", "old")).Generation);
        using var request = new HttpRequestMessage(new HttpMethod(method), $"{Emulator.ObjectPath("x")}?{condition}");
        if (method == "PATCH") request.Content = new StringContent("{}");
        using var answer = await emulator.Http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Theory]
    [InlineData("ifGenerationMatch=0", 200)]
    [InlineData("ifGenerationMatch=5", 412)]
    [InlineData("ifSourceGenerationMatch=G", 200)]
    [InlineData("ifSourceGenerationMatch=5", 412)]
    [InlineData("ifSourceGenerationNotMatch=G", 304)]
    [InlineData("ifSourceMetagenerationMatch=2", 412)]
    [InlineData("sourceGeneration=5", 404)]
    public async Task Copy_Condition_Decides(string condition, int status)
    {
        await using var emulator = await Emulator.StartAsync();
        condition = condition.Replace("=G", "=" + (await emulator.PutAsync("from", "old")).Generation);
        foreach (var verb in new[] { "copyTo", "rewriteTo" })
        {
            using var answer = await emulator.Http.PostAsync(
                $"{Emulator.ObjectPath("from")}/{verb}/b/{Emulator.Bucket}/o/{verb}?{condition}", null, TestContext.Current.CancellationToken);
            Assert.Equal(status, (int)answer.StatusCode);
        }
    }

    [Theory]
    [InlineData("x-goog-if-generation-match", "1", 412)]
    [InlineData("x-goog-if-metageneration-match", "1", 200)]
    [InlineData("x-goog-if-metageneration-match", "2", 412)]
    public async Task XmlGet_ConditionHeader_Decides(string header, string value, int status)
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("x", "old");
        using var request = new HttpRequestMessage(HttpMethod.Get, Emulator.XmlPath("x")) { Headers = { { header, value } } };
        using var answer = await emulator.Http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Insert_ManyWritersOnOneGeneration_ExactlyOneWinsEachRound()
    {
        await using var emulator = await Emulator.StartAsync();
        var generation = "0";
        for (var round = 0; round < 40; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
            {
                using var answer = writer % 2 == 0
                    ? await emulator.InsertAsync("head", Encoding.UTF8.GetBytes($"{round}/{writer}"), "ifGenerationMatch=" + generation)
                    : await emulator.InsertMultipartAsync("""{"name":"head"}""", Encoding.UTF8.GetBytes($"{round}/{writer}"), "ifGenerationMatch=" + generation);
                return (Writer: writer, answer.StatusCode, Object: answer.IsSuccessStatusCode ? await Emulator.ObjectAsync(answer) : null);
            }));
            var winner = Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
            Assert.All(answers.Except([winner]), loser => Assert.Equal(HttpStatusCode.PreconditionFailed, loser.StatusCode));
            Assert.Equal($"{round}/{winner.Writer}", Encoding.UTF8.GetString(await emulator.ReadAsync("head")));
            generation = winner.Object!.Generation;
        }
        Assert.Single(Directory.GetFiles(Path.Combine(emulator.BucketFolder, "content")));
    }

    [Fact]
    public async Task Increment_ByCompareAndSwap_LosesNothing()
    {
        await using var emulator = await Emulator.StartAsync();
        await emulator.PutAsync("counter", "0");
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            for (var done = 0; done < 20;)
            {
                using var read = await emulator.Http.GetAsync(Emulator.XmlPath("counter"), TestContext.Current.CancellationToken);
                var generation = read.Headers.GetValues("x-goog-generation").Single();
                var value = int.Parse(await read.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
                using var written = await emulator.InsertAsync(
                    "counter", Encoding.UTF8.GetBytes((value + 1).ToString()), "ifGenerationMatch=" + generation);
                if (written.IsSuccessStatusCode) done++;
            }
        }));
        Assert.Equal("120", Encoding.UTF8.GetString(await emulator.ReadAsync("counter")));
    }
}
