using InferenceServer.Core.Requests;
using InferenceServer.Grpc.Wire;

namespace InferenceServer.Grpc.Requests;

/// <summary>What the caller wants to see of the prompt and of the output.</summary>
internal sealed record ResponseShape
{
    public bool PromptTokenIds { get; private init; }

    public bool PromptLogprobs { get; private init; }

    /// <summary>Alternatives a prompt token; 0 for none.</summary>
    public int PromptCandidates { get; private init; }

    public bool OutputText { get; private init; }

    public bool OutputTokenIds { get; private init; }

    public bool OutputLogprobs { get; private init; }

    /// <summary>Alternatives an output token; 0 for none.</summary>
    public int OutputCandidates { get; private init; }

    public static ResponseShape Read(ResponseOptions? options)
    {
        options ??= new();
        int promptCandidates = TopN("response.prompt_candidates", options.PromptCandidates);
        int outputCandidates = TopN("response.output_candidates", options.OutputCandidates);
        return new ResponseShape
        {
            PromptTokenIds = options.PromptTokenIds,
            PromptLogprobs = options.PromptLogprobs || promptCandidates > 0,
            PromptCandidates = promptCandidates,
            OutputText = !options.HasOutputText || options.OutputText,
            OutputTokenIds = options.OutputTokenIds,
            OutputLogprobs = options.OutputLogprobs || outputCandidates > 0,
            OutputCandidates = outputCandidates,
        };
    }

    private static int TopN(string field, CandidateTokens? candidates)
    {
        switch (candidates?.SelectCase)
        {
            case null or CandidateTokens.SelectOneofCase.None:
                return 0;
            case CandidateTokens.SelectOneofCase.TopN when candidates.TopN <= SamplingParameters.MaxTopLogprobs:
                return (int)candidates.TopN;
            case CandidateTokens.SelectOneofCase.TopN:
                throw Refusal.Invalid(field + ".top_n", $"is {candidates.TopN}; at most {SamplingParameters.MaxTopLogprobs} is expected.");
            case CandidateTokens.SelectOneofCase.TokenIds:
                throw Refusal.Unsupported(field + ".token_ids", "ask for the most likely tokens with top_n.");
            default:
                throw Refusal.Unsupported(field + ".all", $"ask for the most likely tokens with top_n, at most {SamplingParameters.MaxTopLogprobs}.");
        }
    }
}
