using System.Threading.Channels;
using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Engine.Streaming;

namespace InferenceServer.Engine.Scheduling;

/// <summary>
/// An accepted request: the caller's handle on one side, the engine thread's state on the other.
/// Built on the caller's thread; from its Submit command on, the engine thread owns all but <see cref="Generation"/>'s members.
/// </summary>
internal sealed class RequestState : Generation
{
    private readonly CommandQueue _commands;
    private volatile bool _finished;

    public RequestState(EngineRequest request, int maxTokens, ulong seed, int blockSize, CommandQueue commands)
    {
        Request = request;
        MaxTokens = maxTokens;
        _commands = commands;
        StopTokens = [.. request.StopTokens];
        ChoicesLive = request.Choices;
        if (request.Sampling.PromptLogprobs is not null)
        {
            PromptScores = new PromptLogprob[request.PromptTokens.Length];
            PromptScores[0] = new PromptLogprob(request.PromptTokens[0], float.NaN, null);
        }

        int blockCapacity = (request.PromptTokens.Length + maxTokens + blockSize - 1) / blockSize;
        Sequences = new Sequence[request.Choices];
        for (int choice = 0; choice < Sequences.Length; choice++)
        {
            SamplingState sampling = new(request.Sampling, CounterRandom.ChoiceSeed(seed, choice), StopTokens, request.PromptTokens);
            Sequences[choice] = new Sequence(this, choice, sampling, blockCapacity);
            if (choice > 0) Sequences[choice].Status = SequenceStatus.Pending;
        }

        Leader = Sequences[0];
        Summary = new RequestSummary
        {
            RequestId = request.RequestId,
            Tenant = request.Tenant,
            PromptTokens = request.PromptTokens.Length,
            Choices = request.Choices,
        };
    }

    public override string RequestId => Request.RequestId;

    public override ChannelReader<TokenEvent> Events => Stream;

    public EngineRequest Request { get; }

    public TokenStream Stream { get; } = new();

    public RequestSummary Summary { get; }

    /// <summary>The caller's limit, cut to what the context and the KV pool hold.</summary>
    public int MaxTokens { get; }

    public int[] StopTokens { get; }

    /// <summary>(choices) By choice.</summary>
    public Sequence[] Sequences { get; }

    /// <summary>Computes the prompt for all choices.</summary>
    public Sequence Leader { get; }

    /// <summary>The prompt was computed once and every choice has its own table.</summary>
    public bool Forked { get; set; }

    public int ChoicesLive { get; set; }

    /// <summary>Its sequences in the waiting queue; the request counts as waiting while there are any.</summary>
    public int SequencesWaiting { get; set; }

    /// <summary>Its prefix was looked up, and its prompt charged, once.</summary>
    public bool Admitted { get; set; }

    /// <summary>Order of acceptance; ties in priority run in this order.</summary>
    public long ArrivalOrder { get; set; }

    public TenantState? Tenant { get; set; }

    /// <summary>(prompt) Null unless asked for.</summary>
    public PromptLogprob[]? PromptScores { get; }

    /// <summary>Prompt tokens 1..this have their log-probability; survives preemption.</summary>
    public int PromptTokensScored { get; set; }

    /// <summary>Index in the scheduler's list of live requests.</summary>
    public int LiveIndex { get; set; }

    public long DeadlineTimestamp => Request.DeadlineTimestamp ?? long.MaxValue;

    public int PromptTokens => Request.PromptTokens.Length;

    /// <summary>Tokens that may come from the prefix cache: those whose logits nobody still waits for.</summary>
    public int CacheableTokens => PromptScores is null || PromptTokensScored == PromptTokens - 1 ? int.MaxValue : PromptTokensScored;

    public override void Cancel()
    {
        if (!_finished) _commands.Send(new EngineCommand(EngineCommandKind.Cancel, this));
    }

    public override void StopChoice(int choice)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(choice);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(choice, Sequences.Length);
        if (!_finished) _commands.Send(new EngineCommand(EngineCommandKind.StopChoice, this, choice));
    }

    /// <summary>Called once, after the Finished event was written.</summary>
    public void MarkFinished() => _finished = true;
}
