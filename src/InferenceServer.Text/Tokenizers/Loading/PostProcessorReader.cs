namespace InferenceServer.Text.Tokenizers.Loading;

/// <summary>
/// Reads which ids the post-processor puts around a single text. Offsets and pairs, its other business, are none of ours.
/// </summary>
internal static class PostProcessorReader
{
    public static SpecialFrame Read(JsonField field) => field.IsNull ? SpecialFrame.Empty : field.Type switch
    {
        "Sequence" => field.Required("processors").Items().Aggregate(SpecialFrame.Empty, static (inner, outer) => inner.Within(Read(outer))),
        "ByteLevel" => SpecialFrame.Empty,
        "BertProcessing" or "RobertaProcessing" => new SpecialFrame([NamedId(field.Required("cls"))], [NamedId(field.Required("sep"))]),
        "TemplateProcessing" => Template(field),
        _ => throw field["type"].Expected("a post-processor that this server knows"),
    };

    private static SpecialFrame Template(JsonField field)
    {
        List<int> before = [];
        List<int> after = [];
        bool isBehindText = false;
        foreach (JsonField part in field.Required("single").Items())
        {
            if (!part["Sequence"].IsNull)
            {
                if (isBehindText)
                    throw part.Expected("a template that names the text once");
                isBehindText = true;
                continue;
            }

            JsonField token = field.Required("special_tokens").Required(part.Required("SpecialToken").Required("id").AsString());
            (isBehindText ? after : before).AddRange(token.Required("ids").Items().Select(static id => id.AsInt()));
        }

        return isBehindText ? new SpecialFrame([.. before], [.. after]) : throw field["single"].Expected("a template that names the text");
    }

    private static int NamedId(JsonField pair) =>
        pair.Items() is [_, JsonField id] ? id.AsInt() : throw pair.Expected("a pair of a token and its id");
}
