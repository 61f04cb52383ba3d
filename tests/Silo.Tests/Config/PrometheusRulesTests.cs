using System.Diagnostics;
using System.Text.RegularExpressions;
using Silo.Tests.Architecture;

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
        var lines = File.ReadAllLines(Repository.PathOf("config/otel-collector.yaml"));
        var section = "";
        var configured = new HashSet<string>();
        foreach (var line in lines)
        {
            if (Section().Match(line) is { Success: true } begun) section = begun.Groups[1].Value;
            else if (Component().Match(line) is { Success: true } component) configured.Add($"{section}/{component.Groups[1].Value}");
        }
        var used = lines.Select(line => Used().Match(line)).Where(match => match.Success)
            .SelectMany(match => match.Groups[2].Value.Split(", ").Select(name => $"{match.Groups[1].Value}/{name}")).ToHashSet();
        Assert.Equal(configured.Where(name => !name.StartsWith("service/", StringComparison.Ordinal)).Order(), used.Order());
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

    [GeneratedRegex("^([a-z]+):$")]
    private static partial Regex Section();

    [GeneratedRegex("^  ([a-z_]+):")]
    private static partial Regex Component();

    [GeneratedRegex(@"^ +([a-z]+): \[(.+)\]$")]
    private static partial Regex Used();
}
