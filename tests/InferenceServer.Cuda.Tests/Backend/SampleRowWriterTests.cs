using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda.Tests.Backend;

public sealed class SampleRowWriterTests
{
    private const int Vocabulary = 70;

    [Fact]
    public void Every_parameter_reaches_the_kernel()
    {
        SamplingParameters parameters = new() { Temperature = 0.7f, TopK = 9, TopP = 0.8f, MinP = 0.1f, RepetitionPenalty = 1.2f, FrequencyPenalty = 0.3f, PresencePenalty = 0.4f, Logprobs = true };
        (SampleRow row, _) = Write(Row(parameters, seed: 77, pending: 1));
        Assert.Equal((77ul, 12, 3), (row.Seed, row.Position, row.Token));
        Assert.Equal((0.7f, 9, 0.8f, 0.1f), (row.Temperature, row.TopK, row.TopP, row.MinP));
        Assert.Equal((1.2f, 0.3f, 0.4f), (row.Repetition, row.Frequency, row.Presence));
        Assert.Equal(SampleFlags.Pending | SampleFlags.Logprob, row.Flags);
        Assert.Equal(-1, row.Mask);
    }

    [Fact]
    public void Biases_bans_and_counts_follow_each_other_and_ids_outside_are_left_out()
    {
        SamplingParameters parameters = new()
        {
            LogitBias = new Dictionary<int, float> { [5] = 1.5f, [Vocabulary] = 2f, [-1] = 3f },
            BannedTokens = [6, 7, 900],
            MinTokens = 1,
            PresencePenalty = 1f,
        };
        LogitsRow wanted = Row(parameters, stops: [8]);
        wanted.Sampling.Accept(9);
        wanted.Sampling.Accept(9);
        wanted.Sampling.Accept(Vocabulary + 3);
        (SampleRow row, SampleEdit[] edits) = Write(wanted);
        Assert.Equal([(5, BitConverter.SingleToInt32Bits(1.5f))], Pairs(edits[(row.Edits - First)..(row.Biases - First)]));
        Assert.Equal([(6, 0), (7, 0)], Pairs(edits[(row.Biases - First)..(row.Bans - First)])); // two tokens are enough, the stop token is free
        Assert.Equal([(9, 2)], Pairs(edits[(row.Bans - First)..(row.Counts - First)]));
        Assert.Equal(First, row.Edits);
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1, 0, true)]
    [InlineData(1, 1, false)] // one accepted and one on its way make the two
    [InlineData(2, 0, false)]
    public void Stop_tokens_are_banned_until_enough_tokens_are_chosen_those_on_their_way_counted(int accepted, int pending, bool banned)
    {
        LogitsRow wanted = Row(new SamplingParameters { MinTokens = 2 }, stops: [8], pending: pending);
        for (int i = 0; i < accepted; i++) wanted.Sampling.Accept(1);
        (SampleRow row, _) = Write(wanted);
        Assert.Equal(banned ? 1 : 0, row.Bans - row.Biases);
    }

    [Fact]
    public void The_mask_has_a_bit_for_every_allowed_token()
    {
        LogitsRow wanted = Row(new SamplingParameters { AllowedTokens = [0, 33, 69, Vocabulary, -4] });
        Assert.True(SampleRowWriter.WantsMask(in wanted));
        uint[] words = [0xdead, 0xdead, 0xdead, 0xdead];
        Appender<uint> masks = new(words, 40);
        Assert.Equal(40, SampleRowWriter.WriteMask(in wanted, Vocabulary, ref masks));
        Assert.Equal([1u, 2u, 1u << 5, 0xdead], words);
    }

    [Fact]
    public void What_the_kernel_cannot_do_is_left_to_the_host()
    {
        AssertOnHost(Row(new SamplingParameters { TopLogprobs = 1 }));
        AssertOnHost(Row(new SamplingParameters { TypicalP = 0.9f }));
        AssertOnHost(Row(new SamplingParameters { BannedTokens = [.. Enumerable.Range(0, SampleRowWriter.MaxEdits + 1)] }));
        AssertOnHost(Row(new SamplingParameters { PromptLogprobs = 2 }, kind: LogitsRowKind.Score));
        Assert.True(SampleRowWriter.OnDevice(Row(new SamplingParameters { BannedTokens = [.. Enumerable.Range(0, SampleRowWriter.MaxEdits)] })));
    }

    [Fact]
    public void A_row_that_was_left_to_the_host_does_not_become_the_devices_while_it_is_in_flight()
    {
        LogitsRow row = Row(new SamplingParameters { MinTokens = 1, BannedTokens = [.. Enumerable.Range(0, SampleRowWriter.MaxEdits)] }, stops: [1]);
        Assert.False(SampleRowWriter.OnDevice(in row));
        row.Sampling.Accept(3); // from here on the stop token is free
        Assert.False(SampleRowWriter.OnDevice(in row));
    }

    [Fact]
    public void A_score_names_its_target()
    {
        (SampleRow row, _) = Write(Row(new SamplingParameters { PromptLogprobs = 0 }, kind: LogitsRowKind.Score));
        Assert.Equal((SampleFlags.Score, 4), (row.Flags, row.Target));
    }

    private const int First = 100;

    private static void AssertOnHost(LogitsRow row)
    {
        Assert.False(SampleRowWriter.OnDevice(in row));
        Assert.Equal(SampleFlags.Skip, Write(row).Row.Flags);
    }

    private static (SampleRow Row, SampleEdit[] Edits) Write(LogitsRow row)
    {
        SampleEdit[] room = new SampleEdit[SampleRowWriter.MaxEdits];
        Appender<SampleEdit> edits = new(room, First);
        return (SampleRowWriter.Write(in row, Vocabulary, ref edits), room);
    }

    private static LogitsRow Row(SamplingParameters parameters, ulong seed = 1, int pending = 0, LogitsRowKind kind = LogitsRowKind.Sample, int[]? stops = null) => new()
    {
        Token = 3,
        Position = 12,
        Kind = kind,
        TargetToken = 4,
        PendingTokens = pending,
        Sampling = new SamplingState(parameters, seed, stops ?? [], []),
    };

    private static (int, int)[] Pairs(SampleEdit[] edits) => [.. edits.Select(e => (e.Token, e.Value))];
}
