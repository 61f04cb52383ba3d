using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Turso;

namespace Silo.Tests.Storage.Turso;

public sealed class TursoOptionsTests
{
    [Fact]
    public void Section_AsConfigured_IsBound()
    {
        var options = Bind(("Turso:AuthToken", "a.b-c_d="), ("Turso:SecretsDirectory", "/run/secrets"), ("Turso:RequestTimeout", "00:00:07"), ("Turso:MaxRows", "5"));
        Assert.Equal(("a.b-c_d=", "/run/secrets", TimeSpan.FromSeconds(7), 5), (options.AuthToken, options.SecretsDirectory, options.RequestTimeout, options.MaxRows));
    }

    [Theory]
    [InlineData("AuthToken", "two words-of-a-secret")]
    [InlineData("RequestTimeout", "00:00:00")]
    [InlineData("TotalTimeout", "01:00:00")]
    [InlineData("ConnectTimeout", "00:02:00")]
    [InlineData("Retries", "11")]
    [InlineData("RetryDelay", "00:00:00")]
    [InlineData("MaxRetryDelay", "00:02:00")]
    [InlineData("MaxAnswerBytes", "1023")]
    [InlineData("MaxRows", "0")]
    [InlineData("MaxRowBytes", "1")]
    [InlineData("MaxConnections", "1001")]
    public void Option_OutOfRange_IsNamedAndNotRepeated(string option, string value)
    {
        var message = Assert.Throws<OptionsValidationException>(() => Bind(("Turso:" + option, value))).Message;
        Assert.Contains(option, message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Host_WithTurso_HasAClient()
    {
        using var services = Services();
        var database = services.GetRequiredService<TursoClient>().Open(OrganizationId.Parse("acme"), TursoAddress.Parse("libsql://acme.example"));
        Assert.Equal(("acme", "https" + "://acme.example"), (database.Organization.Value, database.Address.ToString()));
    }

    private static TursoOptions Bind(params (string Key, string Value)[] settings)
    {
        using var services = Services(settings);
        return services.GetRequiredService<IOptions<TursoOptions>>().Value;
    }

    private static ServiceProvider Services(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build();
        return new ServiceCollection().AddLogging().AddTurso(configuration).BuildServiceProvider();
    }
}
