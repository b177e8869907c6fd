using System.Text;
using InferenceServer.Http;

namespace InferenceServer.Tests.Http;

public class LoneSurrogatesTests
{
    [Theory]
    [InlineData(@"\ud83d\ude00", @"\ud83d\ude00")]
    [InlineData(@"\ud83d", @"\uFFFD")]
    [InlineData(@"\ude00", @"\uFFFD")]
    [InlineData(@"\ude00\ud83d", @"\uFFFD\uFFFD")]
    [InlineData(@"\ud83d\ud83d\ude00", @"\uFFFD\ud83d\ude00")]
    [InlineData(@"\ud83dx\ude00", @"\uFFFDx\uFFFD")]
    [InlineData(@"\\ud83d", @"\\ud83d")]
    [InlineData(@"\\\ud83d", @"\\\uFFFD")]
    [InlineData(@"\uD83D\n\u0041", @"\uFFFD\n\u0041")]
    [InlineData(@"\ud83", @"\ud83")]
    [InlineData(@"\u", @"\u")]
    [InlineData(@"\", @"\")]
    public void Halves_become_the_replacement_character(string json, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        LoneSurrogates.Replace(bytes);
        Assert.Equal(expected, Encoding.UTF8.GetString(bytes));
    }
}
