using System.Text;
using System.Text.Json;

namespace InferenceServer.Microbench;

/// <summary>What the benchmarks read: files of this repository, or a tokenizer of your own.</summary>
internal static class BenchFiles
{
    /// <summary>Names another tokenizer.json.</summary>
    public const string TokenizerVariable = "MICROBENCH_TOKENIZER";

    public static string Tokenizer => Environment.GetEnvironmentVariable(TokenizerVariable) ?? Demo("tokenizer.json");

    /// <summary>The demo model's template.</summary>
    public static string ChatTemplate
    {
        get
        {
            using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Demo("tokenizer_config.json")));
            return config.RootElement.GetProperty("chat_template").GetString()!;
        }
    }

    /// <summary>About 90 KB of plain English: the licence, eight times.</summary>
    public static string English { get; } = Repeat(File.ReadAllText(Path.Combine(Root, "LICENSE")), 90_000);

    /// <summary>About 90 KB of scripts, code, numbers and emoji in turns.</summary>
    public static string Mixed { get; } = Repeat(
        """
        A naïve café in Zürich charges 12,50 € — or $13.99; that’s “fair”, isn't it? 日本語のテキストと中文文本，以及한국어 문장도 있습니다。
        Быстрая коричневая лиса перепрыгивает через ленивую собаку. सभी मनुष्य जन्म से स्वतन्त्र हैं। مرحبا بالعالم 👩‍👩‍👧‍👦🏳️‍🌈🇯🇵
            for (int i = 0; i < 1_000_000; i++) { sum += data[i] * 0x1F; } // O(n)
        def f(x): return {"key": [1, 2.5e-3, None], 'π': 3.14159265358979}
        https://example.org/a/b?c=d&e=%20f#g    	tabs and   spaces, AAAAAAAAAAAAAAAA ................ ==========

        """, 90_000);

    private static string Root
    {
        get
        {
            for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) return folder.FullName;
            }

            throw new FileNotFoundException("There is no InferenceServer.sln above the program; run it from within the repository.");
        }
    }

    private static string Demo(string file) => Path.Combine(Root, "models-manifest", "demo", file);

    private static string Repeat(string text, int length)
    {
        StringBuilder repeated = new(length + text.Length);
        while (repeated.Length < length) repeated.Append(text);
        return repeated.ToString();
    }
}
