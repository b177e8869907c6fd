using System.Buffers;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>
/// Scratch arrays: pooled where they are small, garbage where they are not. The shared pool keeps one array of each size for every thread,
/// so that a few inputs of megabytes without a word border would hold gigabytes until threads die. Thread-safe.
/// </summary>
internal static class ScratchPool
{
    private const int LongestKept = 1 << 14; // elements: no word and hardly any piece of real text is longer

    public static T[] Rent<T>(int length) => length <= LongestKept ? ArrayPool<T>.Shared.Rent(length) : GC.AllocateUninitializedArray<T>(length);

    public static void Return<T>(T[] array)
    {
        if (array.Length <= LongestKept) ArrayPool<T>.Shared.Return(array);
    }
}
