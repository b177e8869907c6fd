using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;

namespace InferenceServer.Engine.Tests.Simulation;

/// <summary>One request of a scenario, and what its caller does to it.</summary>
internal sealed record ScenarioRequest
{
    public required EngineRequest Request { get; init; }

    /// <summary>Submitted before this step.</summary>
    public required int ArrivesAtStep { get; init; }

    /// <summary>Steps after arrival; null: never expires.</summary>
    public int? DeadlineSteps { get; init; }

    /// <summary>Cancelled before this step; null: never.</summary>
    public int? CancelAtStep { get; init; }

    /// <summary>Cancelled as soon as this many tokens were received over all choices; null: never.</summary>
    public int? CancelAfterTokens { get; init; }

    /// <summary>(choices) The caller stops the choice as soon as it received this many tokens; null: never.</summary>
    public required int?[] StopAfterTokens { get; init; }

    /// <summary>(choices) The caller stops the choice before this step; null: never.</summary>
    public required int?[] StopAtStep { get; init; }
}

/// <summary>
/// A small world with too little of everything, drawn from a seed. With two steps in flight it is the same world and the same requests,
/// only that some requests also want penalties or a least number of tokens.
/// </summary>
internal sealed class Scenario
{
    private const int Vocabulary = 40;

    private readonly Random _random;

    public Scenario(int seed, int stepsInFlight = 1)
    {
        Seed = seed;
        _random = new Random(seed);
        int blockSize = Pick(1, 2, 3, 4, 8);
        int seats = _random.Next(1, 9);
        int tokensPerStep = seats + _random.Next(0, 40);
        Limits = new RunnerLimits
        {
            VocabularySize = Vocabulary,
            ContextLength = _random.Next(12, 80),
            BlockSize = blockSize,
            BlockCount = Math.Max(2, _random.Next(16, Chance(0.5) ? 60 : 160) / blockSize),
            MaxTokensPerStep = tokensPerStep,
            MaxSequencesPerStep = seats,
            MaxRowsPerStep = seats + _random.Next(0, 10),
            MaxStepsInFlight = stepsInFlight,
        };
        Options = new EngineOptions
        {
            MaxWaitingRequests = Chance(0.1) ? 2 : 100,
            MaxWaitingTokens = 10_000,
            MaxRunningSequences = Chance(0.3) ? _random.Next(1, seats + 1) : seats,
            TokensPerStep = Chance(0.3) ? _random.Next(Math.Max(1, seats / 2), tokensPerStep + 1) : null,
            EnablePrefixCache = !Chance(0.15),
            RandomSeed = (ulong)seed,
        };
        FailOneIn = Chance(0.2) ? 60 : 0;
        BreaksAtStep = Chance(0.04) ? _random.Next(1, 40) : null;
        BreaksInLaunch = Chance(0.5);
        int[] shared = Prompt(48);
        Requests = new ScenarioRequest[_random.Next(1, 10)];
        for (int i = 0; i < Requests.Length; i++) Requests[i] = DrawRequest(i, shared);
        if (stepsInFlight > 1) AddPenalties(new Random(~seed));
    }

    public int Seed { get; }

    public RunnerLimits Limits { get; }

    public EngineOptions Options { get; }

    public int FailOneIn { get; }

    /// <summary>The runner throws in this step; null: never.</summary>
    public int? BreaksAtStep { get; }

    public bool BreaksInLaunch { get; }

    public ScenarioRequest[] Requests { get; }

    private ScenarioRequest DrawRequest(int index, int[] shared)
    {
        int choices = Chance(0.3) ? _random.Next(2, 5) : 1;
        int arrives = Chance(0.5) ? 0 : _random.Next(0, 40);
        int[] own = Prompt(_random.Next(Chance(0.02) ? 0 : 1, 24));
        int[] prompt = Chance(0.5) ? [.. shared.AsSpan(0, _random.Next(1, 49)), .. own.AsSpan(0, Math.Min(own.Length, 3))] : own;
        int tenant = _random.Next(0, 3);
        EngineRequest request = new()
        {
            RequestId = $"r{index}",
            PromptTokens = prompt,
            MaxTokens = Chance(0.1) ? 0 : Chance(0.1) ? 1 : _random.Next(1, 40),
            Choices = choices,
            StopTokens = Chance(0.5) ? [_random.Next(Vocabulary), _random.Next(Vocabulary)] : [],
            Tenant = $"t{tenant}",
            TenantWeight = tenant + 1,
            CacheSalt = (ulong)tenant / 2, // two of three share
            Priority = Chance(0.3) ? _random.Next(-1, 2) : 0,
            Sampling = new SamplingParameters
            {
                Seed = (ulong)_random.NextInt64(),
                Logprobs = Chance(0.2),
                TopLogprobs = _random.Next(0, 3),
                PromptLogprobs = Chance(0.15) ? _random.Next(0, 3) : null,
            },
        };
        return new ScenarioRequest
        {
            Request = request,
            ArrivesAtStep = arrives,
            DeadlineSteps = Chance(0.1) ? _random.Next(0, 40) : null,
            CancelAtStep = Chance(0.08) ? arrives + _random.Next(0, 20) : null,
            CancelAfterTokens = Chance(0.08) ? _random.Next(1, 20) : null,
            StopAfterTokens = DrawEach(choices, 0.1, 1, 12),
            StopAtStep = DrawEach(choices, 0.05, arrives, arrives + 20),
        };
    }

    /// <summary>Of the three penalties one keeps a row with the host, which takes no step ahead of it.</summary>
    private void AddPenalties(Random random)
    {
        for (int i = 0; i < Requests.Length; i++)
        {
            EngineRequest request = Requests[i].Request;
            SamplingParameters sampling = request.Sampling with
            {
                PresencePenalty = random.Next(4) == 0 ? 1 : 0,
                RepetitionPenalty = random.Next(8) == 0 ? 1.5f : 1,
                FrequencyPenalty = random.Next(12) == 0 ? 1 : 0,
                MinTokens = random.Next(4) == 0 ? random.Next(1, 8) : 0,
            };
            Requests[i] = Requests[i] with { Request = request with { Sampling = sampling } };
        }
    }

    private int?[] DrawEach(int count, double chance, int from, int to)
    {
        int?[] drawn = new int?[count];
        for (int i = 0; i < count; i++) drawn[i] = Chance(chance) ? _random.Next(from, to) : null;
        return drawn;
    }

    private int[] Prompt(int length)
    {
        int[] tokens = new int[length];
        for (int i = 0; i < length; i++) tokens[i] = _random.Next(Vocabulary);
        return tokens;
    }

    private bool Chance(double probability) => _random.NextDouble() < probability;

    private int Pick(params ReadOnlySpan<int> values) => values[_random.Next(values.Length)];
}
