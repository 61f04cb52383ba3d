using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Silo.Storage.Usage;

namespace Silo.Tests.Storage.Usage;

public sealed class WarmUpOptionsTests
{
    [Fact]
    public void Defaults_AreValid_AndPredictNothing()
    {
        var options = Bind();
        Assert.Equal((true, false, false), (options.Record, options.Predict, options.AdaptiveIdle));
    }

    [Theory]
    [InlineData("MostUsed", "1001")]
    [InlineData("MaxPerSecond", "0")]
    [InlineData("MaxFill", "1.1")]
    [InlineData("RecordInterval", "00:00:00")]
    [InlineData("MinIdle", "00:00:00")]
    [InlineData("MaxIdle", "2.00:00:00")]
    [InlineData("ColdStartWorth", "00:00:01")]
    [InlineData("MaxKnown", "10")]
    public void Value_OutOfRange_IsRefusedByName(string key, string value) =>
        Assert.Contains(key, Assert.Throws<OptionsValidationException>(() => Bind((key, value))).Message, StringComparison.Ordinal);

    [Fact]
    public void MinIdle_AboveMaxIdle_IsRefused() =>
        Assert.Contains("at most WarmUp:MaxIdle", Assert.Throws<OptionsValidationException>(() => Bind(("MinIdle", "00:10:00"), ("MaxIdle", "00:05:00"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("Predict")]
    [InlineData("AdaptiveIdle")]
    public void Forecast_WithoutRecord_IsRefused(string key) =>
        Assert.Contains("need WarmUp:Record", Assert.Throws<OptionsValidationException>(() => Bind(("Record", "false"), (key, "true"))).Message, StringComparison.Ordinal);

    private static WarmUpOptions Bind(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create($"WarmUp:{setting.Key}", (string?)setting.Value))).Build();
        using var services = new ServiceCollection().AddUsage(configuration).BuildServiceProvider();
        return services.GetRequiredService<IOptions<WarmUpOptions>>().Value;
    }
}
