using InferenceServer.Text.Tokenizers.Patterns;
using InferenceServer.Text.Tokenizers.PreTokenizing;

namespace InferenceServer.Text.Tokenizers.Tables;

/// <summary>
/// What a name in "tokenizer.ggml.pre" stands for: the patterns that the models' own tokenizer.json cut text with, one after the other, and
/// their habits. To add a name: give it a family in <see cref="Families"/>, or write the family's patterns if they are new.
/// </summary>
/// <param name="Patterns">Each cuts what the one before it left.</param>
/// <param name="IgnoreMerges">A piece that is a token is that token, whatever the merges say.</param>
/// <param name="AddsBos">BOS goes in front where the file does not say.</param>
internal sealed record PreTokenizerByName(string[] Patterns, bool IgnoreMerges = false, bool AddsBos = false)
{
    private const string Contraction = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Spaces = @"|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Symbols = @"| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces;
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private const string Llama3 = Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + Symbols;
    private const string Qwen2 = Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + Symbols;
    private const string Qwen35 = Contraction + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + Spaces;
    private const string Gpt4O = $@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+{Contraction}?|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*{Contraction}?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Spaces;
    private const string Tekken = $@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*"
        + @"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Spaces;
    private const string BailingMoe = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
    private const string SeedCoder = Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+" + Spaces;
    private const string Bloom = @" ?[^(\s|.,!?…。，、।۔،)]+";
    private const string DeepSeek3 = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*" + Spaces;

    // The letters that have case, as of the Unicode of that model's day.
    private const string DeepSeekLetters =
        @"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼ"
        + @"ℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

    private static readonly (string Names, PreTokenizerByName Family)[] Families =
    [
        ("default", new([@"[\p{P}\$\+<=>\^~\|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"])),
        ("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2", new([Llama3], IgnoreMerges: true, AddsBos: true)),
        ("dbrx smaug-bpe chatglm-bpe glm4", new([Llama3])),
        ("qwen2 deepseek-r1-qwen kormo megrez stablelm2 hunyuan solar-open grok-2", new([Qwen2])),
        ("qwen35", new([Qwen35])),
        ("gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat a.x-4.0 mellum exaone4", new([Gpt2])),
        ("smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", new([@"\p{N}", Gpt2])),
        ("falcon", new([@"[\p{P}\$\+<=>\^~\|`]+", Gpt2, "[0-9][0-9][0-9]"])),
        ("gpt-4o llama4 kanana2 minimax-m2", new([Gpt4O])),
        ("tekken", new([Tekken], IgnoreMerges: true, AddsBos: true)),
        ("deepseek-llm", new([@"[\r\n]", DeepSeekLetters, @"\s?[!-/:-~！-／：-～‘-‟　-。]+", @"\s+$", "[一-龥ࠀ-一가-\uD7FF]+", @"\p{N}+"])),
        ("deepseek-coder", new([@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[一-龥ࠀ-一가-\uD7FF]+", @"\p{N}"])),
        ("deepseek-v3 hunyuan-dense joyai-llm hy_v4", new([@"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DeepSeek3])),
        ("minicpm5", new([@"\p{N}{1,3}", Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+" + Symbols], IgnoreMerges: true)),
        ("bailingmoe bailingmoe2 llada-moe", new([BailingMoe])),
        ("seed-coder", new([SeedCoder])),
        ("bloom gpt3-finnish poro-chat", new([Bloom])),
        ("viking", new([Bloom, @"\p{N}"])),
    ];

    private static readonly Dictionary<string, PreTokenizerByName> Known = Families
        .SelectMany(static family => family.Names.Split(' ').Select(name => (name, family.Family)))
        .ToDictionary(static entry => entry.name, static entry => entry.Family, StringComparer.Ordinal);

    /// <summary>Every name there is.</summary>
    public static IEnumerable<string> Names => Known.Keys;

    /// <exception cref="InvalidDataException">No such name.</exception>
    public static PreTokenizerByName Find(string name) => Known.TryGetValue(name, out PreTokenizerByName? found)
        ? found
        : throw new InvalidDataException($"\"tokenizer.ggml.pre\" is \"{TokenRoles.Show(name)}\"; this server knows {string.Join(", ", Names)}.");

    /// <summary>Immutable and thread-safe.</summary>
    public IPreTokenizer Compile() => Patterns.Length == 1 ? Split(Patterns[0]) : new PreTokenizerSequence([.. Patterns.Select(Split)]);

    private static PatternSplit Split(string pattern) => new(TextPatterns.OfRegex(pattern), SplitBehavior.Isolated);
}
