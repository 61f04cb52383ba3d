using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Runtime.Messaging;
using Silo.Contracts;
using Silo.Gateway.Answers;
using Silo.Gateway.Telemetry;

namespace Silo.Tests.Gateway;

[Collection(GatewayCollection.Name)]
public sealed class FailureAnswersTests(StandInCluster cluster) : IAsyncLifetime
{
    private readonly string _organization = "org-" + Guid.NewGuid().ToString("N");
    private TestGateway _gateway = null!;

    public static TheoryData<OrganizationErrorCode, int, string> Table => new()
    {
        { OrganizationErrorCode.InvalidRequest, 400, "invalid_request" },
        { OrganizationErrorCode.InvalidOrganizationId, 400, "invalid_organization_id" },
        { OrganizationErrorCode.Unauthenticated, 401, "unauthenticated" },
        { OrganizationErrorCode.Forbidden, 403, "forbidden" },
        { OrganizationErrorCode.OrganizationNotFound, 404, "organization_not_found" },
        { OrganizationErrorCode.ContactNotFound, 404, "contact_not_found" },
        { OrganizationErrorCode.ImportNotFound, 404, "import_not_found" },
        { OrganizationErrorCode.ContactExists, 409, "contact_exists" },
        { OrganizationErrorCode.OrganizationExists, 409, "organization_exists" },
        { OrganizationErrorCode.ImportInProgress, 409, "import_in_progress" },
        { OrganizationErrorCode.PayloadTooLarge, 413, "payload_too_large" },
        { OrganizationErrorCode.UnsupportedMediaType, 415, "unsupported_media_type" },
        { OrganizationErrorCode.ValidationFailed, 422, "validation_failed" },
        { OrganizationErrorCode.TooManyRequests, 429, "too_many_requests" },
        { OrganizationErrorCode.DatabaseUnavailable, 503, "database_unavailable" },
        { OrganizationErrorCode.DatabaseMoved, 503, "database_moved" },
        { OrganizationErrorCode.DatabaseProvisioning, 503, "database_provisioning" },
        { OrganizationErrorCode.DurabilityUnavailable, 503, "durability_unavailable" },
        { OrganizationErrorCode.ClusterUnavailable, 503, "cluster_unavailable" },
        { OrganizationErrorCode.RestorePointNotFound, 404, "restore_point_not_found" },
        { OrganizationErrorCode.RestoreNotFound, 404, "restore_not_found" },
        { OrganizationErrorCode.RestoreInProgress, 409, "restore_in_progress" },
        { OrganizationErrorCode.MigrationNotFound, 404, "migration_not_found" },
        { OrganizationErrorCode.MigrationInProgress, 409, "migration_in_progress" },
        { OrganizationErrorCode.LockHeld, 409, "lock_held" },
        { OrganizationErrorCode.LockNotFound, 404, "lock_not_found" },
    };

    public async ValueTask InitializeAsync() => _gateway = await TestGateway.Start(cluster.Client);

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Theory]
    [MemberData(nameof(Table))]
    public async Task Refusal_OfTheSilo_IsAnsweredByTheTable(OrganizationErrorCode code, int status, string name)
    {
        var problem = await (await Fail(new OrganizationException(code, "Said by the silo."))).Problem(status, name);
        Assert.Equal("Said by the silo.", problem.GetProperty("detail").GetString());
        Assert.False(problem.TryGetProperty("errors", out _));
    }

    [Fact]
    public void Table_HasEveryRefusal() =>
        Assert.Equal(Enum.GetValues<OrganizationErrorCode>(), Table.Select(row => row.Data.Item1));

    [Fact]
    public void ProblemTypes_HaveACodeOfTheirOwn() =>
        Assert.Equal(ProblemType.All.Count, ProblemType.All.Select(type => type.Code).Distinct(StringComparer.Ordinal).Count());

    [Fact]
    public async Task Refusal_KeepsRetryAfterAndErrors()
    {
        using var response = await Fail(new OrganizationException(OrganizationErrorCode.DatabaseUnavailable, "Wait.")
        {
            RetryAfter = TimeSpan.FromSeconds(7.2),
            Errors = new Dictionary<string, string[]> { ["row 3"] = ["Too long."] },
        });
        var problem = await response.Problem(503, "database_unavailable");
        Assert.Equal(TimeSpan.FromSeconds(8), response.Headers.RetryAfter?.Delta);
        Assert.Equal("Too long.", problem.GetProperty("errors").GetProperty("row 3")[0].GetString());
    }

    [Fact]
    public async Task Refusal_WithoutAWait_AsksForOneSecond()
    {
        using var response = await Fail(new OrganizationException(OrganizationErrorCode.DatabaseMoved, "Now.") { RetryAfter = TimeSpan.Zero });
        Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter?.Delta);
    }

    public static TheoryData<Exception, int, string> OrleansFailures => new()
    {
        { new TimeoutException("secret"), 503, "cluster_unavailable" },
        { new SiloUnavailableException("secret"), 503, "cluster_unavailable" },
        { new OperationCanceledException("secret"), 503, "cluster_unavailable" },
        { new LimitExceededException("secret"), 429, "too_many_requests" },
        { new GatewayTooBusyException("secret"), 429, "too_many_requests" },
        { new InvalidOperationException("secret"), 500, "internal_error" },
        { new OrleansException("secret"), 500, "internal_error" },
    };

    [Theory]
    [MemberData(nameof(OrleansFailures), DisableDiscoveryEnumeration = true)]
    public async Task Failure_OfOrleansOrOurs_IsAnsweredWithoutItsText(Exception failure, int status, string code)
    {
        using var response = await Fail(failure);
        var problem = await response.Problem(status, code);
        Assert.DoesNotContain("secret", problem.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connection_ThatFails_IsTheCluster()
    {
        await using var services = new ServiceCollection().AddMetrics().AddSingleton<RequestMetrics>().BuildServiceProvider();
        using var metrics = new RecordedMetrics(services);
        var context = new DefaultHttpContext { RequestServices = services, Response = { Body = new MemoryStream() } };
        await new FailureAnswers(_ => throw new ConnectionFailedException("secret"), services.GetRequiredService<RequestMetrics>(), NullLogger<FailureAnswers>.Instance).InvokeAsync(context);
        Assert.Equal(503, context.Response.StatusCode);
        Assert.Equal("2", context.Response.Headers.RetryAfter);
        Assert.Equal(1, metrics.Ask("silo.request.rejections", "error.type=cluster_unavailable"));
    }

    [Fact]
    public async Task Request_IsActive_UntilItIsOverHoweverItEnds()
    {
        await using var services = new ServiceCollection().AddMetrics().AddSingleton<RequestMetrics>().BuildServiceProvider();
        using var metrics = new RecordedMetrics(services);
        var active = new List<double>();
        foreach (var failure in new Exception?[] { null, new InvalidOperationException(), new OperationCanceledException() })
        {
            var steps = new FailureAnswers(
                _ =>
                {
                    active.Add(metrics.Ask("http.server.active_requests"));
                    return failure is null ? Task.CompletedTask : Task.FromException(failure);
                },
                services.GetRequiredService<RequestMetrics>(), NullLogger<FailureAnswers>.Instance);
            await steps.InvokeAsync(new DefaultHttpContext { RequestServices = services, Response = { Body = new MemoryStream() } });
            active.Add(metrics.Ask("http.server.active_requests"));
        }
        Assert.Equal([1, 0, 1, 0, 1, 0], active);
    }

    [Fact]
    public async Task Path_ThatIsNot_IsNotFound()
    {
        foreach (var path in new[] { "/", "/nothing", "/api/nothing", "/api/contacts/a/b", "/API.md" })
        {
            using var response = await _gateway.Get(path, _gateway.Member(_organization));
            await response.Problem(404, "not_found");
        }
    }

    [Fact]
    public async Task Method_ThatAPathDoesNotHave_IsNotAllowed()
    {
        using var response = await _gateway.Send(HttpMethod.Patch, "/api/contacts", _gateway.Member(_organization), "{}");
        await response.Problem(405, "method_not_allowed");
        Assert.Equal(["GET", "POST"], response.Content.Headers.Allow.Order());
        using var head = await _gateway.Send(HttpMethod.Head, "/api/contacts", _gateway.Member(_organization));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, head.StatusCode);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Problem_HasTheTraceIdOfTheRequest()
    {
        const string TraceId = "0af7651916cd43dd8448eb211c80319c";
        foreach (var traced in new[] { false, true })
        {
            await using var gateway = await TestGateway.Start(cluster.Client, builder => Trace(builder, traced));
            using var response = await gateway.Send(HttpMethod.Get, "/nothing",
                configure: request => request.Headers.Add("traceparent", $"00-{TraceId}-b7ad6b7169203331-01"));
            var problem = await response.Problem(404, "not_found");
            Assert.Equal(TraceId, problem.GetProperty("traceId").GetString());
        }

        static void Trace(WebApplicationBuilder builder, bool traced)
        {
            if (traced) builder.Logging.AddDebug();
        }
    }

    [Fact]
    public async Task Request_ThatTheClientGivesUp_IsNotAnError()
    {
        var gate = cluster.StandIns.Gates[_organization] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var log = new FailureLog();
        await using var gateway = await TestGateway.Start(cluster.Client, builder => builder.Logging.AddProvider(log));
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/contacts/count");
        request.Headers.Authorization = new("Bearer", gateway.Member(_organization));
        var call = gateway.Client.SendAsync(request, giveUp.Token);
        await cluster.StandIns.Arrival(_organization).WaitAsync(TestContext.Current.CancellationToken);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        gate.SetResult();
        await gateway.DisposeAsync(); // ends when its requests have ended
        Assert.Empty(log.Failures);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "400")]
    [InlineData("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", "400")]
    [InlineData("nonsense\r\n\r\n", "400")]
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404")]
    public async Task Request_OutOfTheOrdinary_IsRefused(string request, string status) =>
        Assert.StartsWith($"HTTP/1.1 {status} ", await _gateway.SendRaw(request), StringComparison.Ordinal);

    private async Task<HttpResponseMessage> Fail(Exception failure)
    {
        cluster.StandIns.Failures[_organization] = failure;
        return await _gateway.Get("/api/contacts", _gateway.Member(_organization));
    }

    private sealed class FailureLog : ILoggerProvider, ILogger
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _failures = new();

        public IEnumerable<string> Failures => _failures;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) _failures.Enqueue(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
