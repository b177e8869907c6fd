namespace InferenceServer.Cpu;

/// <summary>
/// Where repacked weights are kept from one start to the next: a file for each model, precision and layout, named by what went into it. It is only ever
/// replaced as a whole, so several servers may share a folder; what is not needed any more may be deleted at any time.
/// </summary>
/// <param name="Folder">Made if it is missing. A folder that cannot be used costs time, never a start.</param>
/// <param name="ModelName">For the file's name only.</param>
/// <param name="ModelHash">A hash of all bytes of the model's weight files, in any notation: equal means that the weights are.</param>
public sealed record WeightCacheOptions(string Folder, string ModelName, string ModelHash);
