using System.Text.Json;

namespace InferenceServer.Http.Responses;

/// <summary>/v1/chat/completions.</summary>
internal sealed record ChatAnswer(string Id, long Created) : IAnswer
{
    public ChunkWriter Stream(GenerationGroup group, StreamUsage usage) => new ChatChunkWriter(Head(group, "chat.completion.chunk"), group, usage);

    public void Write(Utf8JsonWriter json, ResponseCollector collected) => ChatResponseWriter.Write(json, Head(collected.Group, "chat.completion"), collected);

    private ResponseHead Head(GenerationGroup group, string kind) => new(Id, kind, Created, group.Generations[0].Model.Id);
}
