using System.Diagnostics;
using System.Text.RegularExpressions;
using Silo.Tests.Architecture;
using Silo.Tests.Deploy;

namespace Silo.Tests.Config;

/// <summary>The alerts of <c>config/prometheus</c>, as Prometheus itself sees them. MonitoringTests try them on a host that runs.</summary>
public sealed partial class PrometheusRulesTests
{
    private static readonly string Tests = Repository.PathOf("tests/Silo.Tests/Config/rules-tests.yaml");

    [Fact]
    public Task Scrapes_AndRules_CanBeRead() => PromtoolAsync("check", "config", Repository.PathOf("config/prometheus/prometheus.yaml"));

    [Fact]
    public Task Alerts_WhenSomethingIsWrong_FireAndOtherwiseNot() => PromtoolAsync("test", "rules", Tests);

    [Fact]
    public void Alerts_EachHave_ATestAndSayWhatToDo()
    {
        var rules = File.ReadAllText(Repository.PathOf("config/prometheus/rules.yaml"));
        var alerts = Alert().Matches(rules).Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(alerts);
        Assert.Equal(alerts, Tested().Matches(File.ReadAllText(Tests)).Select(match => match.Groups[1].Value));
        foreach (var part in (string[])["severity: ", "summary: ", "description: "]) Assert.Equal(alerts.Count, rules.Split(part).Length - 1);
    }

    [Fact]
    public void Collector_PipelinesName_WhatIsConfigured()
    {
        var file = Yaml.Load(Repository.PathOf("config/otel-collector.yaml"));
        var service = file["service"]!;
        foreach (var kind in (string[])["receivers", "processors", "exporters"])
        {
            var used = service["pipelines"].Members().SelectMany(pipeline => pipeline.Value![kind].Items()).Select(Yaml.Text).Distinct();
            Assert.Equal(file[kind].Members().Select(component => component.Key).Order(), used.Order());
        }
        Assert.Equal(file["extensions"].Members().Select(extension => extension.Key), service["extensions"].Items().Select(Yaml.Text));
        Assert.Equal(["logs", "metrics", "traces"], service["pipelines"].Members().Select(pipeline => pipeline.Key).Order());
    }

    private static async Task PromtoolAsync(params string[] arguments)
    {
        using var promtool = Process.Start(new ProcessStartInfo("promtool", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = promtool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await promtool.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await promtool.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(promtool.ExitCode == 0, $"{output}\n{await errors}");
    }

    [GeneratedRegex("- alert: ([A-Za-z]+)")]
    private static partial Regex Alert();

    [GeneratedRegex("- name: ([A-Za-z]+)")]
    private static partial Regex Tested();
}
