namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>Cuts a piece into smaller ones and hands each on, in order. Immutable and thread-safe.</summary>
internal interface IPreTokenizer
{
    void Split(in Piece piece, IPieceSink sink);
}
