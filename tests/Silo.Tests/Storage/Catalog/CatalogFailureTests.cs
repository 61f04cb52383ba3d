using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Silo.Contracts;
using Silo.Storage.Catalog;

namespace Silo.Tests.Storage.Catalog;

public sealed class CatalogFailureTests : IDisposable
{
    private readonly CatalogFixture _fixture = new();

    private static CancellationToken Cancellation => CatalogFixture.Cancellation;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Migrate_FileOfAnotherKind_IsDamaged()
    {
        await File.WriteAllTextAsync(_fixture.File, string.Concat(Enumerable.Repeat("This is a letter and no database. ", 200)), Cancellation);
        await AssertFailsAsync(CatalogFailure.Damaged, () => _fixture.Open().MigrateAsync(Cancellation));
    }

    [Fact]
    public async Task Migrate_FolderThatIsAFile_IsUnreachable()
    {
        await File.WriteAllTextAsync(_fixture.File, "", Cancellation);
        await AssertFailsAsync(CatalogFailure.Unreachable, () => _fixture.Open(Path.Combine(_fixture.File, "catalog.db")).MigrateAsync(Cancellation));
    }

    [Fact]
    public async Task Migrate_FileThatIsAFolder_IsUnreachable()
    {
        Directory.CreateDirectory(_fixture.File);
        await AssertFailsAsync(CatalogFailure.Unreachable, () => _fixture.Open().MigrateAsync(Cancellation));
    }

    [Fact]
    public async Task Migrate_FolderThatIsMissing_IsMade()
    {
        var catalog = _fixture.Open($"Data Source={Path.Combine(Path.GetDirectoryName(_fixture.File)!, "a", "b", "catalog.db")}");
        await catalog.MigrateAsync(Cancellation);
        await catalog.FindAsync(OrganizationId.Parse("acme"), Cancellation);
    }

    [Fact]
    public async Task Add_ReadOnlyFile_IsUnreachable()
    {
        await _fixture.OpenMigratedAsync();
        var readOnly = _fixture.Open($"Data Source={_fixture.File};Mode=ReadOnly");
        await readOnly.FindAsync(OrganizationId.Parse("acme"), Cancellation);
        await AssertFailsAsync(CatalogFailure.Unreachable, () => readOnly.AddAsync(OrganizationCatalogTests.New("acme"), Cancellation));
    }

    [Fact]
    public async Task Find_BeforeMigration_IsUnexpectedAndWorksAfterIt()
    {
        var catalog = _fixture.Open();
        await AssertFailsAsync(CatalogFailure.Unexpected, () => catalog.FindAsync(OrganizationId.Parse("acme"), Cancellation));
        await catalog.MigrateAsync(Cancellation);
        Assert.Null(await catalog.FindAsync(OrganizationId.Parse("acme"), Cancellation));
    }

    [Fact]
    public async Task Add_OlderTableNeedsMore_NamesTheColumn()
    {
        _fixture.Sql("CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL, slug TEXT NOT NULL)");
        var catalog = await _fixture.OpenMigratedAsync();
        var failure = await AssertFailsAsync(
            CatalogFailure.Unexpected, () => catalog.AddAsync(OrganizationCatalogTests.New("acme"), Cancellation));
        Assert.Contains("organizations.slug", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, CatalogFailure.Busy)]
    [InlineData(11, CatalogFailure.Damaged)]
    [InlineData(13, CatalogFailure.Full)]
    [InlineData(10, CatalogFailure.Unreachable)]
    public void FailureOf_SqliteError_IsTold(int code, CatalogFailure failure) =>
        Assert.Equal(failure, SqliteDatabase.FailureOf(code));

    [Theory]
    [InlineData(null, "ConnectionStrings:Catalog")]
    [InlineData("Host=127.0.0.1;Username=silo;Pasword=secret", "no connection string of SQLite or PostgreSQL")]
    [InlineData("Data Source=:memory:", "a file by its path")]
    [InlineData("Cache=Shared", "a file by its path")]
    public void AddOrganizationCatalog_ConnectionThatIsNone_SaysWhatToSet(string? connection, string remedy)
    {
        var failure = Assert.Throws<OptionsValidationException>(() => Resolve(connection));
        Assert.Contains(remedy, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddOrganizationCatalog_PathAlone_IsEnough()
    {
        using var services = Resolve(_fixture.File);
        await services.GetRequiredService<OrganizationCatalog>().MigrateAsync(Cancellation);
        Assert.True(File.Exists(_fixture.File));
    }

    private static ServiceProvider Resolve(string? connection)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:Catalog"] = connection, ["GCS_BUCKET_NAME"] = "test-bucket" })
            .Build();
        var services = new ServiceCollection().AddLogging().AddOrganizationCatalog(configuration).BuildServiceProvider();
        try
        {
            services.GetRequiredService<OrganizationCatalog>();
            return services;
        }
        catch
        {
            services.Dispose();
            throw;
        }
    }

    private async Task<CatalogException> AssertFailsAsync(CatalogFailure failure, Func<Task> action)
    {
        var thrown = await Assert.ThrowsAsync<CatalogException>(action);
        Assert.Equal(failure, thrown.Failure);
        Assert.Contains(_fixture.File, thrown.Message, StringComparison.Ordinal);
        return thrown;
    }
}
