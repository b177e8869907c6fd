using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

/// <summary>The model "llama" of a GGUF file beside the same model as tokenizer.json, beside llama.cpp's vectors, and beside a plain twin.</summary>
public sealed class ScoredPiecesTests
{
    [Theory]
    [InlineData("llama-spm", "llama2", true)]
    [InlineData("phi-3", "phi-3-mini-4k", false)] // Microsoft's tokenizer.json adds no BOS, the GGUF does
    public void A_published_file_gives_what_its_tokenizer_json_gives(string file, string name, bool addSpecial)
    {
        ITokenizer tables = TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", $"ggml-vocab-{file}.gguf")));
        ITokenizer json = TestFiles.Tokenizer(name);
        foreach (string text in TwoLoaders.Texts())
            TwoLoaders.CheckSame(text, tables, json, addSpecial);
    }

    [Theory]
    [InlineData("llama2", "tokenizer.model")]
    [InlineData("mistral-v0.1", "tokenizer.model")]
    [InlineData("mistral-v0.3-rebuilt", "../../mistral/mistral_instruct_tokenizer_240323.model.v3")]
    public void A_converted_model_gives_what_its_tokenizer_json_gives(string name, string model)
    {
        ITokenizer tables = TokenizerTablesLoader.Load(ConvertedTables.OfSentencePiece(TestFiles.Require("hf", name, model), TestFiles.Require("hf", name, "tokenizer.json")));
        ITokenizer json = TestFiles.Tokenizer(name);
        foreach (string text in TwoLoaders.Texts())
            TwoLoaders.CheckSame(text, tables, json, addSpecial: true);
    }

    [Theory]
    [InlineData("llama-spm")]
    [InlineData("phi-3")]
    public void Every_vector_of_llama_cpp_agrees(string name)
    {
        ITokenizer tokenizer = TokenizerTablesLoader.Load(GgufTables.Read(TestFiles.Require("llama.cpp", $"ggml-vocab-{name}.gguf")));
        TwoLoaders.CheckVectors(tokenizer, name);
    }
}
