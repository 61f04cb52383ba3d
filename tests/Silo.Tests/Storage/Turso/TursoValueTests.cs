using System.Text;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

/// <summary>Values on their way to a real server and back.</summary>
public sealed class TursoValueTests(SqldFixture fixture) : IClassFixture<SqldFixture>, IAsyncDisposable
{
    private const int Seed = 20261127;

    private readonly TursoBench _bench = new();

    private static CancellationToken Cancellation => TursoBench.Cancellation;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task Values_OfEveryAwkwardKind_ComeBackAsTheyWere()
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        await database.ExecuteAsync(new TursoStatement("CREATE TABLE v (n INTEGER PRIMARY KEY, v BLOB)"), Cancellation);
        var values = Awkward().ToList();
        foreach (var part in values.Index().Chunk(100))
            await database.ExecuteAllAsync([.. part.Select(value => new TursoStatement("INSERT INTO v VALUES (?, ?)", value.Index, value.Item))], Cancellation);

        var whole = await database.QueryAsync(new TursoStatement("SELECT v FROM v ORDER BY n"), Cancellation);
        Assert.Equal(values, whole.Rows.Select(row => row[0]));
        Assert.Equal(new TursoColumn("v", "BLOB"), Assert.Single(whole.Columns));
        Assert.Equal(values, (await TursoBench.AllAsync(await database.OpenCursorAsync(new TursoStatement("SELECT v FROM v ORDER BY n"), Cancellation))).Select(row => row[0]));

        // The server means by them what we mean.
        var types = await database.QueryAsync(new TursoStatement("SELECT typeof(v), CASE WHEN typeof(v) IN ('text', 'blob') THEN length(CAST(v AS BLOB)) END FROM v ORDER BY n"), Cancellation);
        Assert.Equal(values.Select(value => value.Type.ToString().ToLowerInvariant()), types.Rows.Select(row => row[0].AsText()));
        Assert.Equal(values.Select(Bytes), types.Rows.Select(row => row[1].IsNull ? (long?)null : row[1].AsInteger()));
    }

    [Fact]
    public async Task NamedArguments_OfEachForm_AreBound()
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        var statement = new TursoStatement("SELECT :a, @b, $c, :a") { NamedArguments = new Dictionary<string, TursoValue> { ["a"] = 1, ["b"] = "two", ["c"] = TursoValue.Null } };
        Assert.Equal([1, "two", TursoValue.Null, 1], (await database.QueryAsync(statement, Cancellation)).Rows.Single());
    }

    [Fact]
    public async Task Infinity_InARow_IsToldApartFromEveryNumberAndFromNull()
    {
        var database = await _bench.CreateAsync(fixture.Sqld);
        var row = (await database.QueryAsync(new TursoStatement("SELECT 9e999, CAST(? AS REAL), 9e999 - 9e999, 1e308", "-9e999"), Cancellation)).Rows.Single();
        Assert.Equal([true, true, false, false], row.Select(value => value.IsLostInfinity));
        Assert.Throws<InvalidOperationException>(() => row[0].AsReal());
        await Assert.ThrowsAsync<ArgumentException>(() => database.ExecuteAsync(new TursoStatement("SELECT ?", row[0]), Cancellation));
        Assert.True(row[2].IsNull);
        Assert.Equal(1e308, row[3].AsReal());
    }

    [Theory]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(double.NaN)]
    public void Number_ThatJsonDoesNotHave_IsRefused(double number) =>
        Assert.Contains("CAST", Assert.Throws<ArgumentException>(() => (TursoValue)number).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(0xd800)]
    [InlineData(0xdc00)]
    public void Text_WithHalfAPair_IsRefused(int half) => Assert.Throws<ArgumentException>(() => (TursoValue)$"a{(char)half}b");

    [Fact]
    public void Values_OfOtherTypes_AreNotGivenOut()
    {
        Assert.Throws<InvalidOperationException>(() => ((TursoValue)"1").AsInteger());
        Assert.Throws<InvalidOperationException>(() => ((TursoValue)1).AsText());
        Assert.Throws<InvalidOperationException>(() => ((TursoValue)1).AsReal());
        Assert.Throws<InvalidOperationException>(() => TursoValue.Null.AsBlob());
        Assert.True((TursoValue)1 != (TursoValue)1.0 && (TursoValue)0.0 != (TursoValue)(-0.0) && (TursoValue)"" != TursoValue.Null);
        Assert.Equal("Text", ((TursoValue)"someone's data").ToString());
    }

    private static IEnumerable<TursoValue> Awkward()
    {
        TursoValue[] chosen =
        [
            TursoValue.Null, 0, -1, long.MaxValue, long.MinValue, (1L << 53) + 1, 0.0, -0.0, 1.0, 0.1, double.Epsilon, double.MaxValue, double.MinValue, 5e-324, 1e22,
            "", "a", "\0", "a\0b", "\0\0", "\"\\/\b\f\n\r\t\u001f\u007f", "+/<>&'", "é", "e\u0301", "\u2028\u2029", "\ufeffx", "\uffff", "👩‍👩‍👧‍👦", "\U0010ffff", "NULL", "1", "0x10",
            new string('x', 1_000_000), Array.Empty<byte>(), new byte[] { 0 }, new byte[] { 251, 255 }, new byte[] { 251, 255, 190 }, Random(1_000_000),
        ];
        foreach (var value in chosen) yield return value;
        var random = new Random(Seed);
        for (var i = 0; i < 300; i++)
        {
            yield return random.NextInt64(long.MinValue, long.MaxValue);
            yield return double.IsFinite(BitConverter.Int64BitsToDouble(random.NextInt64())) ? random.NextDouble() * Math.Pow(10, random.Next(-300, 300)) : 0.5;
            var blob = new byte[random.Next(40)];
            random.NextBytes(blob);
            yield return blob;
            yield return Text(random);
        }
    }

    private static string Text(Random random)
    {
        var text = new StringBuilder();
        for (var length = random.Next(20); length > 0; length--)
        {
            var code = random.Next(4) switch { 0 => random.Next(0x20), 1 => random.Next(0x80), 2 => random.Next(0xd800), _ => random.Next(0xe000, 0x110000) };
            text.Append(char.ConvertFromUtf32(code));
        }
        return text.ToString();
    }

    private static byte[] Random(int length)
    {
        var bytes = new byte[length];
        new Random(Seed).NextBytes(bytes);
        return bytes;
    }

    private static long? Bytes(TursoValue value) => value.Type switch
    {
        TursoType.Text => Encoding.UTF8.GetByteCount(value.AsText()),
        TursoType.Blob => value.AsBlob().Length,
        _ => null,
    };
}
