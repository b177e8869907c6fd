using System.Text.Json;
using InferenceServer.Text.Tokenizers;
using Xunit;

namespace InferenceServer.Text.Tests.Tokenizers;

public sealed class JsonLinesTokenizeTests
{
    [Fact]
    public void A_line_in_is_a_line_out_and_bad_ones_do_not_stop_the_rest()
    {
        string input = string.Join('\n',
            """{"text":"Hello world"}""",
            """{"text":"Hello world","add_special":false}""",
            """{"text":"<|eot_id|>","add_special":false}""",
            """{"text":""",
            """{"text":5}""",
            """{"text":"x","add_special":"yes"}""",
            """{"text":"\ud800"}""",
            "",
            new string('[', 100_000),
            """{"text":"hello","add_special":false}""");
        StringWriter output = new();
        JsonLinesTokenize.Run(TestFiles.Tokenizer("llama3.1-rebuilt"), new StringReader(input), output);
        string[] lines = output.ToString().TrimEnd('\n').Split('\n');
        Assert.Equal(10, lines.Length);
        Assert.Equal("""{"ids":[128000,9906,1917]}""", lines[0]);
        Assert.Equal("""{"ids":[9906,1917]}""", lines[1]);
        Assert.Equal("""{"ids":[128009]}""", lines[2]);
        foreach (string bad in lines[3..9])
            Assert.False(string.IsNullOrEmpty(JsonDocument.Parse(bad).RootElement.GetProperty("error").GetString()));
        Assert.Equal("""{"ids":[15339]}""", lines[9]);
    }
}
