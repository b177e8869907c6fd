using System.Text.Json;

namespace InferenceServer.Http.Responses;

/// <summary>/v1/completions, whose streamed and whole objects are alike.</summary>
internal sealed record CompletionAnswer(string Id, long Created, bool Echo) : IAnswer
{
    public ChunkWriter Stream(GenerationGroup group, StreamUsage usage) => new CompletionChunkWriter(Head(group), group, usage, Echo);

    public void Write(Utf8JsonWriter json, ResponseCollector collected) => CompletionResponseWriter.Write(json, Head(collected.Group), collected, Echo);

    private ResponseHead Head(GenerationGroup group) => new(Id, "text_completion", Created, group.Generations[0].Model.Id);
}
