using System.Text.Json;

namespace InferenceServer.Http.Responses;

/// <summary>The shape of one endpoint's answer. To add an endpoint that generates: parse its body into GenerationRequests, and implement this.</summary>
internal interface IAnswer
{
    ChunkWriter Stream(GenerationGroup group, StreamUsage usage);

    void Write(Utf8JsonWriter json, ResponseCollector collected);
}
