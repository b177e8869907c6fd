namespace InferenceServer.Cpu.Cache;

/// <summary>A section of a matrix in a weights cache's file.</summary>
/// <param name="Name">Type, columns, groups and tensors.</param>
/// <param name="Offset">Bytes from the start of the file.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Checksum">See <see cref="ChecksumJob"/>.</param>
internal readonly record struct SectionEntry(string Name, long Offset, long Bytes, uint Checksum);
