using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Silo.Tests.Deploy;

/// <summary>YAML as a tree in which every value is text, with what is merged by <c>&lt;&lt;</c> in its place.</summary>
internal static partial class Yaml
{
    public static JsonNode Load(string path) => Parse(File.ReadAllText(path));

    public static JsonNode Parse(string text)
    {
        var tree = new DeserializerBuilder().WithDuplicateKeyChecking().Build().Deserialize<object>(new MergingParser(new Parser(new StringReader(text))));
        return JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(tree))!;
    }

    public static string? Text(this JsonNode? node) => (string?)node;

    public static IEnumerable<KeyValuePair<string, JsonNode?>> Members(this JsonNode? node) => node as JsonObject ?? [];

    public static IEnumerable<JsonNode> Items(this JsonNode? node) => (node as JsonArray ?? []).Select(item => item!);

    /// <summary><c>2560M</c>, <c>4Gi</c>: bytes, with the suffixes of Compose (binary) and of Kubernetes.</summary>
    public static long Bytes(string text)
    {
        var match = Quantity().Match(text);
        Assert.True(match.Success, $"'{text}' is no size");
        return long.Parse(match.Groups[1].Value) << (match.Groups[2].Value[0] switch { 'K' or 'k' => 10, 'M' => 20, _ => 30 });
    }

    /// <summary><c>1m30s</c>.</summary>
    public static TimeSpan Duration(string text)
    {
        var match = Period().Match(text);
        Assert.True(match.Success && text.Length > 0, $"'{text}' is no duration");
        return TimeSpan.FromSeconds(Number(match.Groups[1]) * 3600 + Number(match.Groups[2]) * 60 + Number(match.Groups[3]));

        static int Number(Group group) => group.Success ? int.Parse(group.Value) : 0;
    }

    [GeneratedRegex("^([0-9]+)([KkMG])i?$")]
    private static partial Regex Quantity();

    [GeneratedRegex("^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$")]
    private static partial Regex Period();
}
