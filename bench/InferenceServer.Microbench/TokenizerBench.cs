using System.Runtime.InteropServices;
using System.Text;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Running;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;

namespace InferenceServer.Microbench;

/// <summary>Long texts to ids and back, on one thread.</summary>
public class TokenizerBench
{
    private readonly List<int> _ids = [];
    private ITokenizer _tokenizer = null!;
    private EncodeOptions _options = null!;
    private string _text = "";
    private int[] _encoded = [];

    [Params("English", "Mixed")]
    public string Text { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _tokenizer = TokenizerJson.Load(BenchFiles.Tokenizer);
        _options = new EncodeOptions { AddSpecial = false };
        _text = TextOf(Text);
        _tokenizer.Encode(_text, _options, _ids);
        _encoded = [.. _ids];
    }

    [Benchmark]
    public int Encode()
    {
        _ids.Clear();
        _tokenizer.Encode(_text, _options, _ids);
        return CollectionsMarshal.AsSpan(_ids).Length;
    }

    [Benchmark]
    public string Decode() => _tokenizer.Decode(_encoded, skipSpecial: true);

    /// <summary>As a stream does it: a token at a time.</summary>
    [Benchmark]
    public int DecodeByToken()
    {
        IDetokenizer detokenizer = _tokenizer.CreateDetokenizer(skipSpecial: true);
        int length = 0;
        foreach (int id in _encoded) length += detokenizer.Append(id).Length;
        return length + detokenizer.Flush().Length;
    }

    internal static double? BytesOf(BenchmarkCase one) =>
        one.Descriptor.Type == typeof(TokenizerBench) ? Encoding.UTF8.GetByteCount(TextOf((string)one.Parameters[nameof(Text)])) : null;

    private static string TextOf(string name) => name == "English" ? BenchFiles.English : BenchFiles.Mixed;
}
