namespace Silo.Tests.Architecture;

public sealed class LockFileTests
{
    [Fact]
    public void Projects_EachHave_ALockFile() => Assert.Empty(
        Repository.FilesEndingWith(".csproj").Select(project => $"{Path.GetDirectoryName(project)}/packages.lock.json").Except(Repository.Files));

    [Fact]
    public void NpmPackages_EachHave_ALockFileWithChecksumsAndWithoutAddresses()
    {
        var folders = Repository.Files.Where(file => Path.GetFileName(file) == "package.json").Select(file => Path.GetDirectoryName(file)).ToList();
        Assert.NotEmpty(folders);
        Assert.All(folders, folder =>
        {
            var text = File.ReadAllText(Repository.PathOf($"{folder}/package-lock.json"));
            Assert.DoesNotContain("\"resolved\"", text, StringComparison.Ordinal);
            Assert.Equal(text.Split("\"node_modules/").Length, text.Split("\"integrity\"").Length);
        });
    }
}
