using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files;

/// <summary>One tensor of a safetensors header. Begin and End are bytes from the start of the data, End exclusive.</summary>
internal sealed record TensorEntry(string Name, ElementType Type, IReadOnlyList<long> Shape, long Begin, long End);
