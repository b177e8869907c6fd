// Usage: TokenizerBench TOKENIZER.json TEXT.txt SECONDS
// Our side of bench/tokenizer-peer: the same documents, the same checksum, MB/s of UTF-8 on one thread.
using System.Diagnostics;
using System.Globalization;
using System.Text;
using InferenceServer.Core.Text;
using InferenceServer.Text.Tokenizers;

if (args.Length != 3)
{
    Console.Error.WriteLine("Usage: TokenizerBench TOKENIZER.json TEXT.txt SECONDS");
    return 2;
}

ITokenizer tokenizer = TokenizerJson.Load(args[0]);
string[] documents = File.ReadAllText(args[1]).Split('\u001E', StringSplitOptions.RemoveEmptyEntries);
double seconds = double.Parse(args[2], CultureInfo.InvariantCulture);
long bytes = documents.Sum(static text => (long)Encoding.UTF8.GetByteCount(text));
EncodeOptions options = new() { AddSpecial = false, ParseSpecial = true };
List<int> ids = [];

long checksum = 0;
foreach (string text in documents)
{
    ids.Clear();
    tokenizer.Encode(text, options, ids);
    foreach (int id in ids)
        checksum = (checksum * 31 + id) % 1_000_000_007;
}

int passes = 0;
long start = Stopwatch.GetTimestamp();
for (; Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; passes++)
{
    foreach (string text in documents)
    {
        ids.Clear();
        tokenizer.Encode(text, options, ids);
    }
}

double rate = bytes * (double)passes / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e6;
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"mbPerSecond\":{rate:F2},\"checksum\":{checksum}}}"));
return 0;
