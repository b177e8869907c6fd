using InferenceServer.Core.Compute;

namespace InferenceServer.Models.Files.Gguf;

/// <summary>A tensor under another name.</summary>
internal sealed class RenamedTensor(string name, HostTensor stored) : HostTensor(name, stored.Type, stored.Shape)
{
    public override bool StaysInPlace => stored.StaysInPlace;

    public override void Release() => stored.Release();

    public override ReadOnlySpan<byte> Row(long row) => stored.Row(row);
}
