using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Silo.SystemTests.Machines;

/// <summary>Chromium as the system has it, without a window.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private readonly IPlaywright _driver;
    private readonly IBrowser _browser;

    private Browser(IPlaywright driver, IBrowser browser) => (_driver, _browser) = (driver, browser);

    public static async Task<Browser> StartAsync()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "chromium")).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException("There is no chromium in PATH: apt-get install chromium.");
        var driver = await Playwright.CreateAsync();
        return new Browser(driver, await driver.Chromium.LaunchAsync(new() { ExecutablePath = path }));
    }

    /// <summary>Somebody sits down at it: no cookies of others, a window of this size.</summary>
    public async Task<Tab> OpenAsync(int width = 1280, int height = 800, ColorScheme scheme = ColorScheme.Light)
    {
        var context = await _browser.NewContextAsync(new() { ViewportSize = new() { Width = width, Height = height }, ColorScheme = scheme, Locale = "en", TimezoneId = "UTC" });
        return new Tab(await context.NewPageAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _driver.Dispose();
    }
}

/// <summary>One page, and what the browser complained about: errors of scripts, and whatever the page's policy did not allow.</summary>
internal sealed class Tab
{
    private readonly ConcurrentQueue<string> _complaints = new();

    public Tab(IPage page)
    {
        Page = page;
        page.SetDefaultTimeout(60_000); // a machine that tests much at once is slow
        Assertions.SetDefaultExpectTimeout(60_000);
        page.PageError += (_, error) => _complaints.Enqueue(error);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") _complaints.Enqueue(message.Text);
        };
    }

    public IPage Page { get; }

    public IBrowserContext Context => Page.Context;

    /// <summary>Signs in with a token.</summary>
    public async Task SignInAsync(string token)
    {
        await Page.GetByLabel("Token").FillAsync(token);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }

    /// <summary>The names of the organizations, from the top.</summary>
    public async Task<IReadOnlyList<string>> RowsAsync() => await Page.Locator("#rows .organization button").AllInnerTextsAsync();

    /// <summary>What it complained about, but refusals that the story asked for: the browser reports every answer that is none.</summary>
    public IEnumerable<string> Complaints(params string[] expected) => _complaints.Where(complaint => !expected.Any(part => complaint.Contains(part, StringComparison.Ordinal)));
}
