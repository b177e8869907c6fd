using InferenceServer.Core.Text;
using InferenceServer.Generation;

namespace InferenceServer.Http.Responses;

/// <summary>chat.completion.chunk events: a role chunk a choice, then contents, then a finish chunk a choice.</summary>
internal sealed class ChatChunkWriter(ResponseHead head, GenerationGroup group, StreamUsage usage) : ChunkWriter(head, group, usage)
{
    private readonly GenerationRequest _request = group.Generations[0].Request;
    private readonly ITokenizer _tokenizer = group.Generations[0].Model.Tokenizer;

    public override void Begin()
    {
        for (int choice = 0; choice < _request.Choices; choice++)
        {
            Open(choice);
            Raw(",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null"u8);
            Close();
        }
    }

    public override void Write(int prompt, in TextEvent text)
    {
        bool scored = text.Kind == TextEventKind.Delta && _request.Sampling.Logprobs;
        if (text.Text.Length > 0 || scored)
        {
            Open(text.Choice);
            Raw(",\"delta\":{\"content\":"u8);
            Text(text.Text);
            Raw("},\"logprobs\":"u8);
            if (scored) WriteLogprob(text);
            else Raw("null"u8);
            Raw(",\"finish_reason\":null"u8);
            Close();
        }

        if (text.Kind == TextEventKind.ChoiceFinished)
        {
            Open(text.Choice);
            Raw(",\"delta\":{},\"logprobs\":null"u8);
            Finish(text);
            Close();
        }
    }

    private void WriteLogprob(in TextEvent text)
    {
        Raw("{\"content\":["u8);
        Json.Reset();
        TokenText.WriteChat(Json, _tokenizer, text.Token, text.Logprob, text.TopLogprobs);
        Json.Flush();
        Raw("],\"refusal\":null}"u8);
    }
}
