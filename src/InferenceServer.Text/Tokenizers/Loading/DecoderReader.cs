using InferenceServer.Text.Tokenizers.Decoding;

namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>
/// Makes the decoder of a tokenizer.json. To add one: 1. write an <see cref="IDecoderStep"/>; 2. give its "type" a line in <see cref="Add"/>.
/// </summary>
internal static class DecoderReader
{
    public static TokenDecoder Read(JsonField field)
    {
        if (field.IsNull)
            return new TokenDecoder([new SpacedStep()], EdgeStrip.None);

        List<IDecoderStep> steps = [];
        EdgeStrip edges = EdgeStrip.None;
        bool isFused = false;
        foreach (JsonField step in Flatten(field))
        {
            if (isFused && step.Type == "Strip")
                edges = Strip(step);
            else if (isFused && !(step.Type is "Fuse" or "ByteFallback" || IsOneForOne(step)))
                throw step["type"].Expected("a decoder that can work token by token behind \"Fuse\"");
            else
                Add(step, steps);
            isFused |= step.Type is "Fuse" or "ByteLevel";
        }

        return new TokenDecoder(steps, edges);
    }

    private static void Add(JsonField field, List<IDecoderStep> steps)
    {
        if (field.Type == "Fuse")
            return;
        steps.Add(field.Type switch
        {
            "ByteLevel" => new ByteLevelStep(),
            "ByteFallback" => new ByteFallbackStep(),
            "Replace" => new ReplaceStep(NormalizerReader.Replace(field)),
            "Strip" => new StripStep(Strip(field)),
            "Metaspace" => new MetaspaceStep(field["replacement"].CharOr('▁'),
                field["prepend_scheme"].StringOr(field["add_prefix_space"].BoolOr(true) ? "always" : "never") != "never"),
            "BPEDecoder" => new EndSuffixStep(field["suffix"].StringOr("</w>")),
            "WordPiece" => new WordPieceStep(field["prefix"].StringOr("##"), field["cleanup"].BoolOr(true)),
            _ => throw field["type"].Expected("a decoder that this server knows"),
        });
    }

    private static List<JsonField> Flatten(JsonField field) =>
        field.Type == "Sequence" ? [.. field.Required("decoders").Items().SelectMany(Flatten)] : [field];

    /// <summary>A Replace of one character, which is the same before and after the tokens are joined.</summary>
    private static bool IsOneForOne(JsonField field) =>
        field.Type == "Replace" && !field.Required("pattern")["String"].IsNull && field.Required("pattern")["String"].AsString().Length == 1;

    private static EdgeStrip Strip(JsonField field) =>
        new(field["content"].CharOr(' '), field["start"].IsNull ? 0 : field["start"].AsInt(), field["stop"].IsNull ? 0 : field["stop"].AsInt());
}
