using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Silo.Gateway.Answers;

namespace Silo.Tests.Cli;

/// <summary>Meets the first questions after something was begun, each in its own way; those that follow go to the gateway.</summary>
internal sealed class PollAnswers(params Func<HttpContext, RequestDelegate, Task>[] answers) : IStartupFilter
{
    private int _asked = -1;

    /// <summary>Puts it before a gateway.</summary>
    public void AddTo(WebApplicationBuilder builder) => builder.Services.AddSingleton<IStartupFilter>(this);

    /// <inheritdoc/>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (HttpContext context, RequestDelegate gateway) =>
        {
            if (HttpMethods.IsGet(context.Request.Method) && Volatile.Read(ref _asked) >= 0 && Interlocked.Increment(ref _asked) is var asked && asked <= answers.Length)
            {
                await answers[asked - 1](context, gateway);
                return;
            }
            await gateway(context);
            if (HttpMethods.IsPost(context.Request.Method)) Interlocked.CompareExchange(ref _asked, 0, -1);
        });
        next(app);
    };

    /// <summary>As a gateway answers that cannot reach a silo.</summary>
    public static Task Unavailable(HttpContext context, RequestDelegate gateway) => Unavailable(context, TimeSpan.FromSeconds(1));

    /// <summary>As one that says to come back tomorrow.</summary>
    public static Task UnavailableForLong(HttpContext context, RequestDelegate gateway) => Unavailable(context, TimeSpan.FromDays(1));

    /// <summary>As one that is gone.</summary>
    public static Task Gone(HttpContext context, RequestDelegate gateway)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    private static Task Unavailable(HttpContext context, TimeSpan retryAfter) => ProblemAnswer.Write(context, ProblemType.ClusterUnavailable, "No silo answers.", retryAfter);
}
