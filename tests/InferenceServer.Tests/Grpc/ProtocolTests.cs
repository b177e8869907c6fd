using System.Buffers;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire;

namespace InferenceServer.Tests.Grpc;

/// <summary>The small parts of the protocol, by themselves.</summary>
public class ProtocolTests
{
    [Theory]
    [InlineData("1H", 3_600_000)]
    [InlineData("2M", 120_000)]
    [InlineData("3S", 3_000)]
    [InlineData("250m", 250)]
    [InlineData("5000u", 5)]
    [InlineData("7000000n", 7)]
    [InlineData("0m", 0)]
    [InlineData("99999999H", 30L * 24 * 3_600_000)]
    public void Timeouts_are_read(string text, long milliseconds)
    {
        Assert.True(GrpcTimeout.TryParse(text, out TimeSpan timeout));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), timeout);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("1")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData("1.5S")]
    [InlineData(" 1S")]
    [InlineData("1s")]
    [InlineData("123456789S")]
    public void Malformed_timeouts_are_not(string text) => Assert.False(GrpcTimeout.TryParse(text, out _));

    [Theory]
    [InlineData("plain text, even ~", "plain text, even ~")]
    [InlineData("100 %", "100 %25")]
    [InlineData("ü€𝄞", "%C3%BC%E2%82%AC%F0%9D%84%9E")]
    [InlineData("a\r\nb", "a%0D%0Ab")]
    public void Messages_are_percent_encoded(string text, string encoded) => Assert.Equal(encoded, PercentEncoding.Encode(text));

    [Fact]
    public void Long_messages_are_cut_between_characters()
    {
        string encoded = PercentEncoding.Encode("x" + new string('€', 5000));
        string decoded = Uri.UnescapeDataString(encoded);
        Assert.True(encoded.Length <= 3 * 2048);
        Assert.Matches("^x€+$", decoded);
    }

    [Fact]
    public void Frames_are_found_however_they_arrive()
    {
        GenerateRequest[] sent = [new() { Text = "one" }, new(), new() { Text = new string('x', 10_000) }];
        byte[] bytes = GrpcClient.Frame([.. sent]);
        ArrayBufferWriter<byte> written = new();
        int total = sent.Sum(message => MessageFrame.Write(written, message));
        Assert.Equal(bytes, written.WrittenSpan.ToArray());
        Assert.Equal(bytes.Length, total);

        List<GenerateRequest> received = [];
        int start = 0;
        for (int end = 0; end <= bytes.Length; end++)
        {
            ReadOnlySequence<byte> buffer = new(bytes, start, end - start);
            if (!MessageFrame.TryRead(ref buffer, 1 << 20, out ReadOnlySequence<byte> message)) continue;
            received.Add(GenerateRequest.Parser.ParseFrom(message));
            start = end - (int)buffer.Length;
        }

        Assert.Equal(sent, received);
        Assert.Equal(bytes.Length, start);
    }

    [Fact]
    public void A_frame_that_claims_gigabytes_is_refused_before_it_arrives()
    {
        ReadOnlySequence<byte> buffer = new([0, 0xff, 0xff, 0xff, 0xff]);
        GrpcException refused = Assert.Throws<GrpcException>(() => MessageFrame.TryRead(ref buffer, 1 << 20, out _));
        Assert.Equal(GrpcStatus.ResourceExhausted, refused.Status);
        Assert.Contains("4294967295", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(255)]
    public void A_frame_with_an_unknown_flag_is_refused(byte flag)
    {
        ReadOnlySequence<byte> buffer = new([flag, 0, 0, 0, 0]);
        Assert.Equal(GrpcStatus.Internal, Assert.Throws<GrpcException>(() => MessageFrame.TryRead(ref buffer, 1 << 20, out _)).Status);
    }
}
