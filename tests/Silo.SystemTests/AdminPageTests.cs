using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Silo.SystemTests;

/// <summary>An operator looks at the databases with a browser.</summary>
public sealed class AdminPageTests : IAsyncLifetime
{
    /// <summary>Where to put the picture that the README shows; without it the picture is only looked at.</summary>
    private const string ScreenshotVariable = "SILO_SCREENSHOT";

    private readonly Machine _machine = new();
    private StandaloneHost _silo = null!;
    private Browser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _silo = await _machine.StartStandaloneAsync();
        _browser = await Browser.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _machine.DisposeAsync();
    }

    [Fact]
    public async Task Operator_SignsIn_SeesDatabasesAndPutsOneAway()
    {
        foreach (var organization in (string[])["acme", "beta", "gamma"])
        {
            await _silo.Operator.CreateOrganizationAsync(organization);
            (await _silo.Member(organization).AddContactAsync("Ada", "replicated")).Is(201);
        }
        var tab = await _browser.OpenAsync();
        var page = tab.Page;

        // Nobody gets in without an operator's token.
        await page.GotoAsync(_silo.Service.Url + "/admin");
        await tab.SignInAsync("no token");
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("This token is not good, or no longer.");
        await tab.SignInAsync(Service.Tokens.Member("acme"));
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("This token is good, but not an operator's.");
        await tab.SignInAsync(Service.Tokens.Admin(user: "grace"));
        await Expect(page.Locator("#user")).ToHaveTextAsync("grace");
        await Expect(page.Locator("#count")).ToHaveTextAsync("3 databases");
        Assert.Equal(["acme", "beta", "gamma"], await tab.RowsAsync());
        var cookie = Assert.Single(await tab.Context.CookiesAsync());
        Assert.Equal(("silo-admin", true, SameSiteAttribute.Strict), (cookie.Name, cookie.HttpOnly, cookie.SameSite));

        // The figures are those of the database.
        var row = page.GetByRole(AriaRole.Row).Filter(new() { HasText = "acme" });
        await Expect(row.Locator(".durability")).ToHaveTextAsync("local");
        await Expect(row.Locator(".lease")).ToHaveTextAsync(new System.Text.RegularExpressions.Regex(@"^\d:\d\d$"));
        await Expect(row.Locator(".idle")).ToHaveTextAsync(new System.Text.RegularExpressions.Regex(@"^[45]:\d\d$"));
        await Expect(row.Locator(".requests")).ToHaveTextAsync("1");

        // Filter.
        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync("bet");
        await Expect(page.Locator("#count")).ToHaveTextAsync("1 of 3 databases");
        Assert.Equal(["beta"], await tab.RowsAsync());
        await page.GetByLabel("Filter").FillAsync("");
        await Expect(page.Locator("#count")).ToHaveTextAsync("3 databases");

        // By keyboard alone: sort, go down, open, close.
        var name = page.GetByRole(AriaRole.Columnheader, new() { Name = "Organization" });
        await name.GetByRole(AriaRole.Button).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(name).ToHaveAttributeAsync("aria-sort", "descending");
        await Expect(page.Locator("#rows .organization button").First).ToHaveTextAsync("gamma");
        await page.GetByRole(AriaRole.Columnheader, new() { Name = "Requests" }).GetByRole(AriaRole.Button).FocusAsync();
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("End");
        await page.Keyboard.PressAsync("ArrowUp");
        await page.Keyboard.PressAsync("Enter");
        var detail = page.GetByRole(AriaRole.Dialog, new() { Name = "beta" });
        await Expect(detail).ToBeVisibleAsync();
        await Expect(detail.Locator(".timeline")).ToContainTextAsync("Activated");
        await Expect(detail.Locator(".timeline")).ToContainTextAsync(new System.Text.RegularExpressions.Regex(@"lease in [\d.,]+ ms"));
        await Expect(detail.Locator(".timeline")).ToContainTextAsync("Last upload confirmed by the bucket");
        await page.Keyboard.PressAsync("Escape");
        await Expect(detail).ToBeHiddenAsync();
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "beta", Exact = true })).ToBeFocusedAsync();

        // Put away, but only after it was confirmed.
        await page.Keyboard.PressAsync("Enter");
        await detail.GetByRole(AriaRole.Button, new() { Name = "Deactivate" }).ClickAsync();
        var sure = page.GetByRole(AriaRole.Dialog, new() { Name = "Deactivate beta?" });
        await sure.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(sure).ToBeHiddenAsync();
        Assert.NotNull(await _silo.Operator.DatabaseAsync("beta"));
        await detail.GetByRole(AriaRole.Button, new() { Name = "Deactivate" }).ClickAsync();
        await sure.GetByRole(AriaRole.Button, new() { Name = "Deactivate" }).ClickAsync();
        await Expect(detail.Locator(".state")).ToHaveTextAsync("not active");
        await _silo.Operator.UntilInactiveAsync("beta");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Locator("#count")).ToHaveTextAsync("2 databases");

        // And back.
        await page.GetByRole(AriaRole.Button, new() { Name = "Warm a database…" }).ClickAsync();
        await page.GetByLabel("Organization", new() { Exact = true }).FillAsync("beta");
        await page.GetByRole(AriaRole.Button, new() { Name = "Warm", Exact = true }).ClickAsync();
        await Expect(page.Locator("#count")).ToHaveTextAsync("3 databases");

        // A copy, as a file of the browser.
        await page.GetByRole(AriaRole.Button, new() { Name = "acme", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog, new() { Name = "acme" }).GetByRole(AriaRole.Button, new() { Name = "Export" }).ClickAsync();
        var download = await page.RunAndWaitForDownloadAsync(() =>
            page.GetByRole(AriaRole.Dialog, new() { Name = "Export acme?" }).GetByRole(AriaRole.Button, new() { Name = "Export" }).ClickAsync());
        Assert.Equal("acme.db", download.SuggestedFilename);
        Assert.StartsWith("SQLite format 3", await File.ReadAllTextAsync(await download.PathAsync(), TestContext.Current.CancellationToken), StringComparison.Ordinal);

        Assert.Empty(tab.Complaints("status of 401", "status of 403"));
    }

    [Fact]
    public async Task Session_ThatEnds_IsAskedForAgain()
    {
        var tab = await _browser.OpenAsync();
        var page = tab.Page;
        await page.GotoAsync(_silo.Service.Url + "/admin");
        var signIn = page.GetByRole(AriaRole.Dialog, new() { Name = "Sign in" });

        // With its token.
        await tab.SignInAsync(Service.Tokens.Admin(lifetime: TimeSpan.FromSeconds(10)));
        await Expect(signIn).ToBeHiddenAsync();
        await Expect(signIn).ToBeVisibleAsync();
        await Expect(signIn).ToContainTextAsync("The session is over.");
        Assert.Empty(tab.Complaints("status of 401"));

        // It goes on where it was; Orleans' own dashboard, too, is open now.
        await tab.SignInAsync(Service.Tokens.Admin());
        await Expect(signIn).ToBeHiddenAsync();
        await Expect(page.Locator("#none")).ToContainTextAsync("No database is active.");
        var dashboard = await tab.Context.NewPageAsync();
        Assert.Equal(401, (await _silo.Service.With(null).GetAsync("/dashboard/")).Status);
        Assert.Equal(200, (await dashboard.GotoAsync(_silo.Service.Url + "/dashboard/"))!.Status);
        await dashboard.CloseAsync();

        // Because the cookie is gone.
        await tab.Context.ClearCookiesAsync();
        await Expect(signIn).ToBeVisibleAsync();
        await tab.SignInAsync(Service.Tokens.Admin());
        await Expect(signIn).ToBeHiddenAsync();

        // Because the operator wants it; the next one who opens the page is asked.
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await Expect(signIn).ToBeVisibleAsync();
        Assert.Empty(await tab.Context.CookiesAsync());
        await page.ReloadAsync();
        await Expect(signIn).ToBeVisibleAsync();
        Assert.Empty(tab.Complaints("status of 401"));
    }

    [Fact]
    public async Task Page_OfAThousandDatabases_FollowsThemAndSaysWhatIsWrong()
    {
        var tab = await _browser.OpenAsync();
        var page = tab.Page;
        var fleet = new ImaginedFleet(1_000);
        await fleet.AnswerAsync(page);
        await page.AddInitScriptAsync(
            "globalThis.frames = []; new PerformanceObserver(list => frames.push(...list.getEntries().map(frame => frame.duration))).observe({ type: 'long-animation-frame', buffered: true });");
        await page.GotoAsync(_silo.Service.Url + "/admin");
        await tab.SignInAsync(Service.Tokens.Admin());

        await Expect(page.Locator("#count")).ToHaveTextAsync("1,000 databases");
        await Expect(page.Locator("#rows .row")).ToHaveCountAsync(1_000);
        await Expect(page.Locator("#problems")).ToContainTextAsync("The bucket refuses uploads");
        await Expect(page.Locator("#silos button")).ToHaveCountAsync(4);
        await Expect(page.Locator("#work li")).ToHaveCountAsync(3);

        // What changes is changed in its place: the rows stay the same elements.
        var first = page.Locator("#rows .row").First;
        await first.EvaluateAsync("row => row.isTheSame = true");
        await fleet.UntilAskedAsync(3);
        Assert.True(await first.EvaluateAsync<bool>("row => row.isTheSame === true"));

        await page.GetByRole(AriaRole.Columnheader, new() { Name = "Lag" }).GetByRole(AriaRole.Button).ClickAsync();
        await Expect(page.Locator("#rows .organization button").First).ToHaveTextAsync(ImaginedFleet.Behind);
        await page.Locator("#silos button").Nth(2).ClickAsync();
        await Expect(page.Locator("#count")).ToHaveTextAsync("333 of 1,000 databases");
        await page.GetByLabel("Show").SelectOptionAsync("problems");
        await Expect(page.Locator("#rows .row")).ToHaveCountAsync(1);
        await page.GetByLabel("Show").SelectOptionAsync("all");
        await page.Locator("#silos button").Nth(0).ClickAsync();
        await Expect(page.Locator("#rows .row")).ToHaveCountAsync(1_000);
        await fleet.UntilAskedAsync(6);

        // Measured, not judged: the machine may be doing a thousand other things.
        var frames = await page.EvaluateAsync<double[]>("frames");
        var paint = await page.EvaluateAsync<double>("performance.getEntriesByName('first-contentful-paint')[0].startTime");
        TestContext.Current.TestOutputHelper?.WriteLine($"First paint after {paint:0} ms; frames of more than 50 ms: {string.Join(", ", frames.Select(frame => $"{frame:0}"))}");
        Assert.Empty(tab.Complaints());
    }

    [Theory]
    [InlineData(1280, 800, ColorScheme.Light, "rgb(246, 247, 249)")]
    [InlineData(1280, 800, ColorScheme.Dark, "rgb(20, 23, 27)")]
    [InlineData(375, 740, ColorScheme.Light, "rgb(246, 247, 249)")]
    [InlineData(375, 740, ColorScheme.Dark, "rgb(20, 23, 27)")]
    public async Task Page_OnAnyScreen_FitsAndHasItsColours(int width, int height, ColorScheme scheme, string ground)
    {
        var tab = await _browser.OpenAsync(width, height, scheme);
        var page = tab.Page;
        var fleet = new ImaginedFleet(40);
        await fleet.AnswerAsync(page);
        await page.GotoAsync(_silo.Service.Url + "/admin");
        await tab.SignInAsync(Service.Tokens.Admin(user: "operator"));
        await Expect(page.Locator("#rows .row")).ToHaveCountAsync(40);
        var isForReadme = width > 1_000 && scheme == ColorScheme.Light && Environment.GetEnvironmentVariable(ScreenshotVariable) is not null;
        await fleet.UntilAskedAsync(isForReadme ? 20 : 2); // so that the lag has become a line

        Assert.Equal(ground, await page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), "The page is wider than the screen.");
        var picture = await page.ScreenshotAsync();
        Assert.InRange(picture.Length, 10_000, 200_000);
        if (isForReadme) await File.WriteAllBytesAsync(Environment.GetEnvironmentVariable(ScreenshotVariable)!, picture, TestContext.Current.CancellationToken);

        await page.Locator("#problems li button").First.ClickAsync();
        var detail = page.Locator("#detail");
        await Expect(detail).ToBeVisibleAsync();
        Assert.True(await detail.EvaluateAsync<bool>("dialog => dialog.scrollWidth <= innerWidth"), "The detail is wider than the screen.");
        Assert.Empty(tab.Complaints());
    }

    /// <summary>Databases that are not there: the page is shown what a gateway would tell of so many.</summary>
    private sealed class ImaginedFleet(int count)
    {
        public const string Behind = "tyrell-0007";

        private static readonly string[] Names = ["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell"];
        private int _asked;

        public async Task AnswerAsync(IPage page)
        {
            await page.RouteAsync("**/api/admin/databases", route =>
            {
                Interlocked.Increment(ref _asked);
                return route.FulfillAsync(Json(new { items = Enumerable.Range(0, count).Select(Database) }));
            });
            await page.RouteAsync("**/api/admin/migrations*", route => route.FulfillAsync(Json(Migrations())));
        }

        /// <summary>Waits until the page has asked so often; what it was told before is on the screen then.</summary>
        public Task UntilAskedAsync(int times) => Eventually.IsAsync(() => Volatile.Read(ref _asked) >= times, $"the page has asked {times} times");

        private static RouteFulfillOptions Json(object body) => new()
        {
            ContentType = "application/json",
            Headers = new Dictionary<string, string> { ["Date"] = TimeProvider.System.GetUtcNow().ToString("R") },
            Body = JsonSerializer.Serialize(body),
        };

        private object Database(int number)
        {
            var now = TimeProvider.System.GetUtcNow();
            var isTurso = number % 13 == 5;
            var isBehind = number == 7;
            return new
            {
                organization = $"{Names[number % 8]}-{number:0000}",
                silo = $"S127.0.0.1:{11_111 + (number % 3)}:154479030",
                state = number % 500 == 23 ? "activating" : "active",
                activatedAt = DateTimeOffset.UnixEpoch.AddDays(20_000).AddSeconds(number % 500 == 23 ? (now - DateTimeOffset.UnixEpoch.AddDays(20_000)).TotalSeconds : 0),
                activationMs = new { catalog = 1.2, room = 0.1, lease = 38.2, restore = 96.4, open = 1.6 },
                litestreamPid = isTurso ? null : (int?)(1_000 + number),
                litestreamRestarts = number == 3 ? 1 : 0,
                litestreamStalls = number == 3 ? 1 : 0,
                litestreamKills = number == 3 ? 1 : 0,
                litestreamDeaths = 0,
                litestreamPokes = 0,
                databaseBytes = isTurso ? 0 : number * 7_919 % 97 * 40_960L * (1 + (number % 7)),
                walBytes = isTurso ? 0 : (1 + (number * 31 % 57)) * 4_096L,
                replicationLagSeconds = isTurso ? 0 : isBehind ? 34.5 + _asked : number % 3 == 0 ? 0 : Math.Abs(Math.Sin(number + (_asked * 0.7))) * 1.8,
                replicationLagBytes = isTurso ? 0 : number * 10,
                lastUploadAt = isTurso ? null : (DateTimeOffset?)now.AddSeconds(-number % 30),
                epoch = isTurso ? null : (long?)(1 + (number % 6)),
                generation = isTurso ? null : $"{(number + 1) * 0x9e3779b97f4a7c1:x16}"[..16],
                leaseExpiresAt = isTurso ? null : (DateTimeOffset?)now.AddSeconds(20 + (number % 10)),
                idleSeconds = number * 17 % 200,
                idleTimeoutSeconds = 300,
                durability = isTurso || number % 5 == 0 ? "replicated" : "local",
                dbType = isTurso ? "turso" : "sqlite",
                tursoUrl = (string?)null,
                reads = (number * 421L) + (_asked * (number % 4)),
                writes = number * 37L,
                problem = isBehind ? "The bucket refuses uploads: 503 Service Unavailable." : null,
                imports = number switch
                {
                    4 => [Import(number, "merging", 640_000, 1_000_000)],
                    9 => [Import(number, "reading", 14_000 * _asked, null)],
                    _ => Array.Empty<object>(),
                },
            };
        }

        private static object Import(int number, string phase, long processed, long? total) =>
            new { id = $"import-{number}", state = "running", phase, received = 110_000_000, processed, total, rowsPerSecond = 105_000 };

        private static object Migrations() => new
        {
            turso = 3,
            sqlite = 37,
            moved = 12,
            running = 1,
            failed = 0,
            items = new[] { new { organization = "soylent-0001", operationId = "1", kind = "migrate", step = "copying", table = "contacts", stepRows = 412_000, startedAt = TimeProvider.System.GetUtcNow().AddSeconds(-40), finishedAt = (DateTimeOffset?)null, problem = (string?)null } },
        };
    }
}
