using System.CommandLine;
using System.Globalization;
using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Models;
using InferenceServer.Text.Templates;
using InferenceServer.Text.Tokenizers;

namespace InferenceServer.Commands;

/// <summary>tokenize and render: JSON lines in, JSON lines out, for debugging and pipes.</summary>
internal static class TextCommands
{
    public static Command Tokenize()
    {
        Option<string> file = new("--tokenizer") { Description = "A tokenizer.json or a GGUF file.", HelpName = "FILE", Required = true };
        Command command = new("tokenize", "Reads JSON lines {\"text\",\"add_special\"}, writes {\"ids\"}. Special tokens in the text are parsed.") { file };
        command.SetAction(parsed => Pipe(() => OpenTokenizer(parsed.GetRequiredValue(file)), JsonLinesTokenize.Run));
        return command;
    }

    public static Command Render()
    {
        Option<string> file = new("--template") { Description = "A .jinja file, a tokenizer_config.json, a model folder or a GGUF file.", HelpName = "FILE", Required = true };
        Option<DateTimeOffset?> now = new("--now")
        {
            Description = "What strftime_now tells, such as 2024-07-26T12:34:56. Default: now.",
            HelpName = "TIME",
            CustomParser = result => DateTimeOffset.TryParse(result.Tokens[^1].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
                ? time : Fail(result, "--now: a time such as 2024-07-26T12:34:56 is expected."),
        };
        Command command = new("render", "Reads JSON lines {\"messages\",\"tools\",\"kwargs\"}, writes {\"text\"} or {\"error\"}.") { file, now };
        command.SetAction(parsed => Pipe(() => OpenTemplate(parsed.GetRequiredValue(file)),
            (template, input, output) => JsonLinesRender.Run(template, input, output, parsed.GetValue(now) ?? DateTimeOffset.Now)));
        return command;
    }

    private static ITokenizer OpenTokenizer(string path) =>
        ModelFolder.IsGguf(path) ? TokenizerTablesLoader.Load(ModelFolder.ReadTokenizer(path).Tables) : TokenizerJson.Load(path);

    private static IChatTemplate OpenTemplate(string path)
    {
        if (!ModelFolder.IsGguf(path)) return ChatTemplate.LoadFile(path);
        return ModelFolder.ReadTokenizer(path).Settings.ChatTemplate is { } text
            ? ChatTemplate.Parse(text, "tokenizer.chat_template")
            : throw new InvalidDataException($"'{path}' holds no chat template; give one as a .jinja file.");
    }

    private static DateTimeOffset? Fail(System.CommandLine.Parsing.ArgumentResult result, string sentence)
    {
        result.AddError(sentence);
        return null;
    }

    private static int Pipe<T>(Func<T> open, Action<T, TextReader, TextWriter> run)
    {
        UTF8Encoding utf8 = new(encoderShouldEmitUTF8Identifier: false);
        try
        {
            T opened = open();
            using StreamReader input = new(Console.OpenStandardInput(), utf8);
            using StreamWriter output = new(Console.OpenStandardOutput(), utf8, 1 << 16);
            run(opened, input, output);
            return 0;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or ChatTemplateException or ModelLoadException)
        {
            Console.Error.WriteLine("error: " + e.Message);
            return 2;
        }
    }
}
