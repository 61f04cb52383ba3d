using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Silo.Storage.Gcs;

namespace Silo.Tests.Storage.Gcs;

public sealed class GcsOptionsTests
{
    [Theory]
    [InlineData("STORAGE_EMULATOR_HOST", "127.0.0.1:4443", "http://127.0.0.1:4443/")]
    [InlineData("STORAGE_EMULATOR_HOST", "localhost:4443", "http://localhost:4443/")]
    [InlineData("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443/storage/v1/", "http://127.0.0.1:4443/")]
    [InlineData("Gcs:EmulatorHost", "127.0.0.1:4443", "http://127.0.0.1:4443/")]
    [InlineData("Gcs:EmulatorHost", "https://127.0.0.1", "https://127.0.0.1/")]
    [InlineData("STORAGE_EMULATOR_HOST", " ", null)]
    [InlineData("Other", "x", null)]
    public void EmulatorHost_AsConfigured_IsAnAddress(string key, string value, string? url) =>
        Assert.Equal(url, Bind((key, value), ("GCS_BUCKET_NAME", "test-bucket")).EmulatorHost?.ToString());

    [Fact]
    public void Section_AndEnvironment_SectionWins()
    {
        var options = Bind(
            ("Gcs:BucketName", "ours"), ("GCS_BUCKET_NAME", "theirs"), ("Gcs:EmulatorHost", "127.0.0.1:1"), ("STORAGE_EMULATOR_HOST", "127.0.0.1:2"),
            ("Gcs:RequestTimeout", "00:00:07"), ("Gcs:Retries", "5"));
        Assert.Equal(("ours", 1, TimeSpan.FromSeconds(7), 5), (options.BucketName, options.EmulatorHost!.Port, options.RequestTimeout, options.Retries));
    }

    [Theory]
    [InlineData("GCS_BUCKET_NAME", "", "GCS_BUCKET_NAME")]
    [InlineData("GCS_BUCKET_NAME", "gs://x", "no name of a bucket")]
    [InlineData("Gcs:Retries", "11", "Retries")]
    [InlineData("Gcs:RequestTimeout", "00:00:00", "RequestTimeout")]
    [InlineData("Gcs:MaxObjectBytes", "1", "MaxObjectBytes")]
    [InlineData("STORAGE_EMULATOR_HOST", "http://", "STORAGE_EMULATOR_HOST")]
    public void Options_OutOfRange_AreNamed(string key, string value, string named)
    {
        (string, string)[] settings = key == "GCS_BUCKET_NAME" ? [(key, value)] : [("GCS_BUCKET_NAME", "test-bucket"), (key, value)];
        Assert.Contains(named, Assert.Throws<OptionsValidationException>(() => Bind(settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_ToGoogleWithoutCredentials_SaysWhatToDo()
    {
        // A file that is missing is found out before anything is sent.
        const string Variable = "GOOGLE_APPLICATION_CREDENTIALS";
        var before = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(Variable, Path.Combine(Path.GetTempPath(), "silo-no-such-key.json"));
        try
        {
            using var client = new BucketClient(
                Options.Create(new GcsOptions { BucketName = "test-bucket" }), TimeProvider.System, NullLogger<BucketClient>.Instance);
            var failure = await Assert.ThrowsAsync<BucketException>(() => client.GetAsync("a", TestContext.Current.CancellationToken));
            Assert.False(failure.IsTransient);
            Assert.Contains(Variable, failure.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<InvalidOperationException>(() => client.EnsureBucketAsync(TestContext.Current.CancellationToken));
        }
        finally
        {
            Environment.SetEnvironmentVariable(Variable, before);
        }
    }

    private static GcsOptions Bind(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
            .Build();
        using var services = new ServiceCollection().AddLogging().AddGcsBucket(configuration).BuildServiceProvider();
        Assert.Equal(services.GetRequiredService<BucketClient>().BucketName, services.GetRequiredService<IOptions<GcsOptions>>().Value.BucketName);
        return services.GetRequiredService<IOptions<GcsOptions>>().Value;
    }
}
