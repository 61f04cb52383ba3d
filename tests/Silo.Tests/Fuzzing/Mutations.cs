using System.Globalization;
using System.Text;

namespace Silo.Tests.Fuzzing;

/// <summary>
/// Inputs made of good ones by small damage, from a seed (SILO_TEST_SEED, else the same each time), for a share of a minute
/// (SILO_FUZZ_SECONDS for longer).
/// </summary>
internal sealed class Mutations(string what)
{
    private const int DefaultSeed = 4711;
    private const int DefaultSeconds = 20;
    private const int LeastInputs = 100;

    private static readonly string[] Tokens =
    [
        "\"", "\"\"", ",", ";", "\t", "\r", "\n", "\r\n", "\0", "\uFEFF", "{", "}", "[", "]", ":", "\\", "\\u0000", "\\ud800", "null", "1e999", "-", "..", "/", "%2e", "%00", "--", "=",
        "\u2028", "😀", "\ud800", "name", "email", "bytes=", "bytes */", "9223372036854775808", "Content-Type:", "boundary",
    ];

    private readonly Random _random = new(Seed);

    public static int Seed => int.TryParse(Environment.GetEnvironmentVariable("SILO_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : DefaultSeed;

    /// <summary>Tries the good ones and then one damaged after the other, 100 at least however slow the machine is; what is thrown is told with the input that did it.</summary>
    public async Task EachAsync(string[] good, Func<byte[], Task> tryIt)
    {
        var time = TimeSpan.FromSeconds(int.TryParse(Environment.GetEnvironmentVariable("SILO_FUZZ_SECONDS"), CultureInfo.InvariantCulture, out var given) ? given : DefaultSeconds);
        var begun = TimeProvider.System.GetTimestamp();
        var tried = 0L;
        for (; tried < LeastInputs || TimeProvider.System.GetElapsedTime(begun) < time; tried++)
        {
            var input = tried < good.Length ? Encoding.UTF8.GetBytes(good[tried]) : Damage(Encoding.UTF8.GetBytes(good[_random.Next(good.Length)]));
            try
            {
                await tryIt(input);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{what}, input {tried} of SILO_TEST_SEED={Seed}, in Base64: {Convert.ToBase64String(input)}", e);
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {tried} inputs");
    }

    private byte[] Damage(byte[] input)
    {
        var bytes = input.ToList();
        for (var changes = _random.Next(1, 6); changes > 0; changes--)
        {
            var at = _random.Next(bytes.Count + 1);
            switch (_random.Next(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << _random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes.RemoveRange(at, Math.Min(_random.Next(1, 20), bytes.Count - at));
                    break;
                case 2:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(Tokens[_random.Next(Tokens.Length)]));
                    break;
                case 3 when bytes.Count > 0:
                    var from = _random.Next(bytes.Count);
                    bytes.InsertRange(at, bytes.GetRange(from, Math.Min(_random.Next(1, 200), bytes.Count - from)));
                    break;
                case 4 when at < bytes.Count:
                    bytes[at] = (byte)_random.Next(256);
                    break;
                case 5:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    bytes.InsertRange(at, Enumerable.Repeat((byte)_random.Next(32, 127), _random.Next(1, 3_000)));
                    break;
            }
        }
        return [.. bytes];
    }
}
