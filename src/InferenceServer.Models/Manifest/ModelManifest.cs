namespace InferenceServer.Models.Manifest;

/// <summary>One file of models-manifest/: what is known of a model before it is on the disk. Immutable.</summary>
public sealed record ModelManifest
{
    /// <summary>The file's name without .json; what callers put into the field model.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Description { get; init; }

    public required ModelSource Source { get; init; }

    /// <summary>SPDX identifier where there is one, the licence's own name otherwise.</summary>
    public required string Licence { get; init; }

    /// <summary>Hugging Face's class name.</summary>
    public required string Architecture { get; init; }

    public required long Parameters { get; init; }

    /// <summary>Tokens; config.json's max_position_embeddings.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Relative to the manifest's folder; null for a model that is not shipped.</summary>
    public string? Folder { get; init; }

    /// <summary>Every file that is read to serve the model. Empty: no hashes are known, and nothing can be verified.</summary>
    public IReadOnlyList<ModelFile> Files { get; init; } = [];

    /// <summary>Null: the operator has set none.</summary>
    public ModelPrice? Price { get; init; }

    /// <summary>Null: none are shipped.</summary>
    public ModelGoldens? Goldens { get; init; }
}
