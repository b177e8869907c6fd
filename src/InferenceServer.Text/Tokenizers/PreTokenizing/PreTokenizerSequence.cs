namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>Each pre-tokenizer cuts what the one before it left.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<IPreTokenizer> steps) : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink)
    {
        for (int i = steps.Count - 1; i > 0; i--)
            sink = new Stage(steps[i], sink);
        if (steps.Count == 0)
            sink.Take(piece);
        else
            steps[0].Split(piece, sink);
    }

    private sealed class Stage(IPreTokenizer step, IPieceSink next) : IPieceSink
    {
        public void Take(in Piece piece)
        {
            if (!piece.IsEmpty)
                step.Split(piece, next);
        }
    }
}
