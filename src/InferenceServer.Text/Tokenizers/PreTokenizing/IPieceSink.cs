namespace InferenceServer.Text.Tokenizers.PreTokenizing;

/// <summary>Takes pieces one by one: the next pre-tokenizer, or in the end the model. Pushing saves lists of a million pieces.</summary>
internal interface IPieceSink
{
    void Take(in Piece piece);
}
