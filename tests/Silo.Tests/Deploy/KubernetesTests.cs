using System.Collections.Concurrent;
using k8s;
using k8s.Models;
using Silo.Tests.Architecture;

namespace Silo.Tests.Deploy;

/// <summary>The overlays of <c>deploy/kubernetes</c>, rendered and read as the API's own types, which refuse a field that they do not have.</summary>
public sealed class KubernetesTests
{
    // Google's own kinds, which the client has no types for.
    private static readonly string[] Untyped = ["ManagedCertificate", "BackendConfig"];

    private static readonly ConcurrentDictionary<string, Task<IReadOnlyList<object>>> Loaded = new();

    public static TheoryData<string> Overlays =>
        [.. Directory.EnumerateDirectories(Repository.PathOf("deploy/kubernetes/overlays")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_Rendered_HasOnlyFieldsOfTheApi(string overlay)
    {
        var objects = await LoadAsync(overlay);
        Assert.Equal(2, objects.OfType<V1Deployment>().Count());
        Assert.All(objects.OfType<IKubernetesObject<V1ObjectMeta>>().Where(item => item is not V1Namespace), item => Assert.Equal("silo", item.Namespace()));
    }

    [Fact]
    public void Types_OfAMisspeltField_RefuseIt() => Assert.ThrowsAny<Exception>(() =>
        KubernetesYaml.LoadAllFromString("apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { selectors: { a: b } }\n", strict: true));

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Pods_AreRestrictedAndBounded(string overlay) => Assert.All(Pods(await LoadAsync(overlay)), pod =>
    {
        var (name, spec) = pod;
        Assert.True(spec.SecurityContext.RunAsNonRoot, name);
        Assert.True(spec.SecurityContext.RunAsUser > 0, name);
        Assert.Equal("RuntimeDefault", spec.SecurityContext.SeccompProfile.Type);
        Assert.NotNull(spec.TerminationGracePeriodSeconds);
        // Only silos ask the API of Kubernetes.
        if (name != "silo") Assert.False(spec.AutomountServiceAccountToken, name);
        Assert.All(spec.Containers, container =>
        {
            Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
            Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
            Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
            Assert.Matches("^[a-z0-9./-]+:v?[0-9]+\\.[0-9][a-z0-9.-]*$", container.Image);
            Assert.All([container.StartupProbe, container.ReadinessProbe, container.LivenessProbe], Assert.NotNull);
            Assert.Contains("cpu", container.Resources.Requests.Keys);
            Assert.Equal(container.Resources.Limits["memory"].ToInt64(), container.Resources.Requests["memory"].ToInt64());
        });
        Assert.All(spec.Volumes, volume => Assert.True(volume.EmptyDir?.SizeLimit is not null || volume.Ephemeral is not null, $"{name}: {volume.Name} has no limit"));
    });

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Silo_StopAndMemory_FitIntoWhatItIsGiven(string overlay)
    {
        var objects = await LoadAsync(overlay);
        var pod = Deployment(objects, "silo").Spec.Template.Spec;
        var container = Assert.Single(pod.Containers);
        var settings = Settings(objects, container);

        ContainerSettings.AssertSiloFits(
            setting => settings.GetValueOrDefault(setting),
            TimeSpan.FromSeconds(pod.TerminationGracePeriodSeconds!.Value - container.Lifecycle.PreStop.Sleep.Seconds),
            container.Resources.Limits["memory"].ToInt64());
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Settings_AreOptionsThatTakeTheValue(string overlay)
    {
        var objects = await LoadAsync(overlay);
        Assert.Empty(
            from deployment in objects.OfType<V1Deployment>()
            from setting in Settings(objects, deployment.Spec.Template.Spec.Containers[0])
            let problem = ContainerSettings.Problem(setting.Key, setting.Value)
            where problem is not null
            select $"{deployment.Name()}: {problem}");
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Selectors_FindPods(string overlay)
    {
        var objects = await LoadAsync(overlay);
        var pods = objects.OfType<V1Deployment>().Select(item => item.Spec.Template.Metadata.Labels)
            .Concat(objects.OfType<V1StatefulSet>().Select(item => item.Spec.Template.Metadata.Labels)).ToList();
        var selectors = objects.OfType<V1Service>().Select(item => item.Spec.Selector)
            .Concat(objects.OfType<V1PodDisruptionBudget>().Select(item => item.Spec.Selector.MatchLabels))
            .Concat(objects.OfType<V1NetworkPolicy>().SelectMany(Selectors))
            .Concat(objects.OfType<V1Deployment>().Select(item => item.Spec.Selector.MatchLabels))
            .Concat(objects.OfType<V1StatefulSet>().Select(item => item.Spec.Selector.MatchLabels));

        Assert.All(selectors, selector => Assert.Contains(pods, labels => selector.All(wanted => labels.Contains(wanted))));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task References_ToOtherObjects_AreMet(string overlay)
    {
        var objects = await LoadAsync(overlay);
        var configMaps = objects.OfType<V1ConfigMap>().Select(item => item.Name()).ToList();
        var accounts = objects.OfType<V1ServiceAccount>().Select(item => item.Name()).ToList();
        var readme = await File.ReadAllTextAsync(Repository.PathOf("deploy/README.md"), TestContext.Current.CancellationToken);
        Assert.All(Pods(objects), pod =>
        {
            Assert.All(pod.Spec.Containers.SelectMany(item => item.EnvFrom ?? []), source => Assert.Contains(source.ConfigMapRef.Name, configMaps));
            // Secrets are made by hand, as the page says.
            Assert.All(pod.Spec.Containers.SelectMany(item => item.Env ?? []).Select(item => item.ValueFrom?.SecretKeyRef).OfType<V1SecretKeySelector>(), secret =>
            {
                Assert.Contains(secret.Name, readme, StringComparison.Ordinal);
                Assert.Contains(secret.Key, readme, StringComparison.Ordinal);
            });
            if (pod.Spec.ServiceAccountName is { } account) Assert.Contains(account, accounts);
        });
        Assert.Empty(objects.OfType<V1Secret>());
        Assert.All(objects.OfType<V2HorizontalPodAutoscaler>(), item => Assert.Null(Deployment(objects, item.Spec.ScaleTargetRef.Name).Spec.Replicas));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Silo_ForOrleans_HasLabelsVariablesAndRights(string overlay)
    {
        var objects = await LoadAsync(overlay);
        var silo = Deployment(objects, "silo").Spec.Template;
        var clusterId = Settings(objects, silo.Spec.Containers[0])["Clustering__ClusterId"];
        Assert.Equal(clusterId, silo.Metadata.Labels["orleans/clusterId"]);
        Assert.Equal(clusterId, silo.Metadata.Labels["orleans/serviceId"]);
        Assert.Equal(clusterId, Settings(objects, Deployment(objects, "gateway").Spec.Template.Spec.Containers[0])["Clustering__ClusterId"]);
        // The agent warns of every pod with both labels that is no silo.
        Assert.DoesNotContain("orleans/clusterId", Deployment(objects, "gateway").Spec.Template.Metadata.Labels.Keys);
        var fields = silo.Spec.Containers[0].Env.Where(item => item.ValueFrom.FieldRef is not null).ToDictionary(item => item.Name, item => item.ValueFrom.FieldRef.FieldPath);
        Assert.Equal("metadata.name", fields["POD_NAME"]);
        Assert.Equal("metadata.namespace", fields["POD_NAMESPACE"]);
        Assert.Equal("status.podIP", fields["POD_IP"]);
        Assert.Equal("metadata.labels['orleans/serviceId']", fields["ORLEANS_SERVICE_ID"]);
        Assert.Equal("metadata.labels['orleans/clusterId']", fields["ORLEANS_CLUSTER_ID"]);
        var rule = Assert.Single(Assert.Single(objects.OfType<V1Role>()).Rules);
        Assert.Equal(["pods"], rule.Resources);
        Assert.Equal(["get", "list", "watch"], rule.Verbs);
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Network_IsClosedButForTheWaysOfTheDesign(string overlay)
    {
        var policies = (await LoadAsync(overlay)).OfType<V1NetworkPolicy>().ToList();
        var closed = Assert.Single(policies, policy => policy.Name() == "deny");
        Assert.True(closed.Spec.PodSelector.MatchLabels is null or { Count: 0 });
        Assert.Equal(["Egress", "Ingress"], closed.Spec.PolicyTypes.Order(StringComparer.Ordinal));
        Assert.True(closed.Spec.Ingress is null && closed.Spec.Egress is null);

        var silo = Assert.Single(policies, policy => policy.Name() == "silo").Spec;
        Assert.Equal(["silo 11111", "gateway 30000"], silo.Ingress.Select(rule => $"{rule.FromProperty[0].PodSelector.MatchLabels["app.kubernetes.io/name"]} {rule.Ports[0].Port.Value}"));
        Assert.Equal(["silo 11111"], silo.Egress.Select(rule => $"{rule.To[0].PodSelector.MatchLabels["app.kubernetes.io/name"]} {rule.Ports[0].Port.Value}"));
        // Nothing goes out without a port, whatever it goes to.
        Assert.All(policies.SelectMany(policy => policy.Spec.Egress ?? []), rule => Assert.NotEmpty(rule.Ports));
    }

    [Fact]
    public async Task Gke_Values_AreThoseOfTheSite()
    {
        var objects = await LoadAsync("gke");
        var site = Yaml.Load(Repository.PathOf("deploy/kubernetes/overlays/gke/site.yaml"))["data"];
        Assert.All(objects.OfType<V1ServiceAccount>(), account => Assert.Equal(site!["serviceAccount"].Text(), account.GetAnnotation("iam.gke.io/gcp-service-account")));
        Assert.Equal(site!["host"].Text(), Assert.Single(objects.OfType<V1Ingress>()).Spec.Rules[0].Host);
        Assert.DoesNotContain(objects.OfType<V1ConfigMap>(), item => item.Name() == "site");
        var stores = objects.OfType<V1NetworkPolicy>().Single(policy => policy.Name() == "stores").Spec.Egress;
        Assert.Equal([site["postgres"].Text(), "0.0.0.0/0", site["metadata"].Text()], stores.Select(rule => rule.To[0].IpBlock.Cidr));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Names_AreAskedOfPodsAndAtGkeOfTheNode(string overlay)
    {
        var names = (await LoadAsync(overlay)).OfType<V1NetworkPolicy>().Single(policy => policy.Name() == "names").Spec;
        var rule = Assert.Single(names.Egress);
        Assert.Equal(["UDP 53", "TCP 53"], rule.Ports.Select(port => $"{port.Protocol} {port.Port.Value}"));
        Assert.Equal("kube-system", rule.To[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]);
        string?[] node = overlay == "gke" ? [Yaml.Load(Repository.PathOf("deploy/kubernetes/overlays/gke/site.yaml"))["data"]!["dns"].Text()] : [];
        Assert.Equal(node, rule.To.Skip(1).Select(peer => peer.IpBlock.Cidr));
    }

    private static Task<IReadOnlyList<object>> LoadAsync(string overlay) => Loaded.GetOrAdd(overlay, async name =>
    {
        var manifests = (await DeployTools.RenderAsync(Repository.PathOf($"deploy/kubernetes/overlays/{name}"))).Split("\n---\n");
        var typed = manifests.Where(manifest => !Untyped.Any(kind => manifest.Contains($"\nkind: {kind}\n", StringComparison.Ordinal)));
        return KubernetesYaml.LoadAllFromString(string.Join("\n---\n", typed), strict: true);
    });

    private static V1Deployment Deployment(IReadOnlyList<object> objects, string name) => objects.OfType<V1Deployment>().Single(item => item.Name() == name);

    private static IEnumerable<(string Name, V1PodSpec Spec)> Pods(IReadOnlyList<object> objects) =>
        objects.OfType<V1Deployment>().Select(item => (item.Name(), item.Spec.Template.Spec))
            .Concat(objects.OfType<V1StatefulSet>().Select(item => (item.Name(), item.Spec.Template.Spec)));

    /// <summary>The environment of a container; a value that is known only in the cluster is null.</summary>
    private static Dictionary<string, string?> Settings(IReadOnlyList<object> objects, V1Container container)
    {
        var settings = new Dictionary<string, string?>();
        foreach (var source in container.EnvFrom ?? [])
        {
            foreach (var (name, value) in objects.OfType<V1ConfigMap>().Single(item => item.Name() == source.ConfigMapRef.Name).Data) settings[name] = value;
        }
        foreach (var variable in container.Env ?? []) settings[variable.Name] = variable.Value;
        return settings;
    }

    private static IEnumerable<IDictionary<string, string>> Selectors(V1NetworkPolicy policy) =>
        new[] { policy.Spec.PodSelector }
            .Concat((policy.Spec.Ingress ?? []).SelectMany(rule => rule.FromProperty ?? []).Select(peer => peer.PodSelector))
            .Concat((policy.Spec.Egress ?? []).SelectMany(rule => rule.To ?? []).Select(peer => peer.PodSelector))
            .Select(selector => selector?.MatchLabels).OfType<IDictionary<string, string>>();
}
