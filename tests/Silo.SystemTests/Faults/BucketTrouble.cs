namespace Silo.SystemTests.Faults;

/// <summary>
/// The bucket misbehaves towards everybody, in one of the ways below, while organizations change hands: so it meets acquisitions,
/// restores, publications, renewals, uploads and releases.
/// </summary>
internal sealed record BucketTrouble(string Name, int Seed, int Moves) : IFault
{
    private const string Heads = "heads/";
    private const string Replicas = "litestream-replicas/";

    /// <summary>Every owner gives up before, or holds on longer than, this.</summary>
    private const int OutageMs = 3_000;

    /// <summary>What each is to the emulator (its DESIGN.md). What hits every request ends by itself; what hits some lasts as long as the fault.</summary>
    private static readonly Dictionary<string, Func<int, object[]>> Plans = new()
    {
        ["heads refused (503)"] = seed => [new { namePrefix = Heads, action = "status", status = 503, probability = 0.4, seed }],
        ["head writes too often (429)"] = seed => [new { method = "insertObject", namePrefix = Heads, action = "status", status = 429, probability = 0.5, seed }],
        ["head writes refused (412)"] = seed => [new { method = "insertObject", namePrefix = Heads, action = "status", status = 412, probability = 0.2, seed }],
        ["head writes done, answers lost"] = seed => [new { method = "insertObject", namePrefix = Heads, action = "loseAnswer", probability = 0.5, seed }],
        ["head writes done, 412 answered"] = seed => [new { method = "insertObject", namePrefix = Heads, action = "loseAnswer", status = 412, probability = 0.5, seed }],
        ["heads dropped"] = seed => [new { namePrefix = Heads, action = "drop", probability = 0.4, seed }],
        ["heads stalled"] = seed => [new { namePrefix = Heads, action = "stall", probability = 0.3, seed }],
        ["heads seconds late"] = seed => [new { namePrefix = Heads, action = "delay", delayMs = 1_500, probability = 0.5, seed }],
        ["uploads refused (503)"] = seed => [new { method = "POST", namePrefix = Replicas, action = "status", status = 503, probability = 0.5, seed }],
        ["uploads forbidden (403)"] = seed => [new { method = "POST", namePrefix = Replicas, action = "status", status = 403, probability = 0.5, seed }],
        ["uploads too often (429)"] = seed => [new { method = "POST", namePrefix = Replicas, action = "status", status = 429, probability = 0.5, seed }],
        ["uploads stalled"] = _ => [new { method = "POST", namePrefix = Replicas, action = "stall", durationMs = OutageMs }],
        ["uploads cut"] = seed => [new { method = "POST", namePrefix = Replicas, action = "drop", afterBytes = 200, probability = 0.5, seed }],
        ["uploads done, answers lost"] = seed => [new { method = "POST", namePrefix = Replicas, action = "loseAnswer", probability = 0.5, seed }],
        ["uploads seconds late"] = seed => [new { method = "POST", namePrefix = Replicas, action = "delay", delayMs = 2_000, probability = 0.5, seed }],
        ["restores refused (503)"] = seed => [new { method = "GET", namePrefix = Replicas, action = "status", status = 503, probability = 0.2, seed }],
        ["restores cut"] = seed => [new { method = "getMedia", namePrefix = Replicas, action = "drop", afterBytes = 100, probability = 0.3, seed }],
        ["restores stalled"] = _ => [new { method = "GET", namePrefix = Replicas, action = "stall", durationMs = OutageMs }],
        ["all forbidden (403)"] = _ => [new { action = "status", status = 403, durationMs = OutageMs }],
        ["all unreachable"] = _ => [new { action = "drop", durationMs = OutageMs }],
        ["all seconds late"] = _ => [new { action = "delay", delayMs = 600, durationMs = OutageMs }],
    };

    /// <summary>The same for the pieces of a large upload.</summary>
    private static readonly Dictionary<string, Func<int, object[]>> PlansForPieces = new()
    {
        ["pieces refused (503)"] = seed => [new { method = "continueUpload", action = "status", status = 503, probability = 0.4, seed }],
        ["pieces cut"] = seed => [new { method = "continueUpload", action = "drop", afterBytes = 100_000, probability = 0.4, seed }],
        ["pieces done, answers lost"] = seed => [new { method = "continueUpload", action = "loseAnswer", probability = 0.4, seed }],
        ["pieces seconds late"] = seed => [new { method = "continueUpload", action = "delay", delayMs = 1_500, probability = 0.5, seed }],
    };

    private readonly object[] _plan = (Plans.GetValueOrDefault(Name) ?? PlansForPieces[Name])(Seed);

    public static IReadOnlyCollection<string> Names => Plans.Keys;

    public static IReadOnlyCollection<string> NamesForPieces => PlansForPieces.Keys;

    public string Kind => $"bucket: {Name}";

    public async Task BeginAsync(World world)
    {
        await world.Bucket.BreakAsync(_plan);
        var random = new Random(Seed);
        for (var i = 0; i < Moves; i++)
        {
            var organization = world.Organizations[random.Next(world.Organizations.Count)];
            await new Handover(organization, random.Next()).BeginAsync(world);
        }
    }

    public Task HealAsync(World world) => world.Bucket.RepairAsync(_plan);
}
