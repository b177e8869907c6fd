using InferenceServer.Core.Text;
using InferenceServer.Generation;
using InferenceServer.Options;

namespace InferenceServer.Http.Requests;

/// <summary>What a request's reader needs besides the body.</summary>
/// <param name="RequestId">The response's id, and the engine's.</param>
/// <param name="Tokenizer">Null while the model loads.</param>
internal sealed record RequestContext(string RequestId, Caller Caller, HttpOptions Options, ITokenizer? Tokenizer);
