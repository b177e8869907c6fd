using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;

namespace InferenceServer.Cuda.Steps;

/// <summary>
/// A step's attention as items: sequences of one token are decoded, their keys in pieces so that few sequences still fill the device; longer
/// ones are prefilled in tiles of query rows. Allocates nothing.
/// </summary>
internal sealed class AttentionWork(int maxTokens, int maxSequences, int kvHeads, int smCount)
{
    /// <summary>Keys below which a piece is not worth the combining.</summary>
    private const int MinKeys = 64;

    private readonly DecodeItem[] _decode = new DecodeItem[MaxDecode(maxSequences, kvHeads, smCount)];
    private readonly PrefillItem[] _prefill = new PrefillItem[MaxPrefill(maxTokens, maxSequences)];
    private readonly int _piecesWanted = Pieces(kvHeads, smCount);
    private int _decodeCount, _prefillCount;

    public ReadOnlySpan<DecodeItem> DecodeItems => _decode.AsSpan(0, _decodeCount);

    public ReadOnlySpan<PrefillItem> PrefillItems => _prefill.AsSpan(0, _prefillCount);

    public static int MaxDecode(int maxSequences, int kvHeads, int smCount) => maxSequences + Pieces(kvHeads, smCount);

    public static int MaxPrefill(int maxTokens, int maxSequences) => maxSequences + maxTokens / AttentionPrefillKernel.Rows;

    /// <summary>Blocks a key head that share the decode items of a step: as many as there are, or what is right for every step of a bucket.</summary>
    public int Walkers(int bucket) => bucket == 0 ? _decodeCount : bucket + _piecesWanted;

    /// <param name="tables">(sequences) Where each one's table begins.</param>
    public void Plan(StepPlan plan, ReadOnlySpan<int> tables)
    {
        _decodeCount = _prefillCount = 0;
        long keys = 0;
        for (int s = 0; s < plan.SequenceCount; s++)
            if (plan.Sequences[s].TokenCount == 1) keys += plan.Sequences[s].ComputedTokens + 1;
        int pieceKeys = (int)Math.Max(MinKeys, (keys + _piecesWanted - 1) / _piecesWanted), partial = 0;
        for (int s = 0; s < plan.SequenceCount; s++)
        {
            ref StepSequence sequence = ref plan.Sequences[s];
            if (sequence.TokenCount == 1)
            {
                int end = sequence.ComputedTokens + 1, splits = (end + pieceKeys - 1) / pieceKeys, first = partial;
                for (int i = 0; i < splits; i++)
                {
                    _decode[_decodeCount++] = new DecodeItem
                    {
                        Token = sequence.FirstToken,
                        Table = tables[s],
                        Begin = i * pieceKeys,
                        End = Math.Min(end, (i + 1) * pieceKeys),
                        Split = i,
                        Splits = splits,
                        Partial = first,
                        Length = end,
                    };
                }

                partial += splits;
                continue;
            }

            for (int row = 0; row < sequence.TokenCount; row += AttentionPrefillKernel.Rows)
            {
                _prefill[_prefillCount++] = new PrefillItem
                {
                    Token = sequence.FirstToken + row,
                    Rows = Math.Min(AttentionPrefillKernel.Rows, sequence.TokenCount - row),
                    Position = sequence.ComputedTokens + row,
                    Table = tables[s],
                };
            }
        }
    }

    private static int Pieces(int kvHeads, int smCount) => Math.Max(1, 4 * smCount / kvHeads);
}
