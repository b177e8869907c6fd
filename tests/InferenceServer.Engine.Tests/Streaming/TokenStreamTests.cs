using InferenceServer.Core.Requests;
using InferenceServer.Engine.Streaming;
using Xunit;

namespace InferenceServer.Engine.Tests.Streaming;

public class TokenStreamTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public async Task Everything_arrives_in_order_and_the_end_after_it(int burst)
    {
        const int Count = 200_000;
        TokenStream stream = new();
        Task writer = Task.Run(() =>
        {
            for (int i = 0; i < Count; i++)
            {
                stream.Write(new TokenEvent { Token = i });
                if (burst > 0 && i % burst == 0) Thread.Yield(); // lets the reader run dry, so that waits and wakes are met often
            }

            stream.Write(new TokenEvent { Kind = TokenEventKind.Finished, Token = Count });
            stream.Complete();
        }, Cancellation);
        int expected = 0;
        await foreach (TokenEvent item in stream.ReadAllAsync(Cancellation)) Assert.Equal(expected++, item.Token);
        Assert.Equal(Count + 1, expected);
        Assert.False(await stream.WaitToReadAsync(Cancellation));
        await stream.Completion;
        await writer;
    }

    [Fact]
    public async Task A_waiting_reader_goes_on_elsewhere_than_on_the_writers_thread()
    {
        TokenStream stream = new();
        int readerThread = 0;
        Task reader = Read();
        Thread writer = new(() => stream.Write(default)) { IsBackground = true };
        writer.Start();
        writer.Join();
        await reader;
        Assert.NotEqual(writer.ManagedThreadId, readerThread);

        async Task Read()
        {
            await stream.WaitToReadAsync(Cancellation).ConfigureAwait(false);
            readerThread = Environment.CurrentManagedThreadId;
        }
    }

    [Fact]
    public async Task A_wait_can_be_cancelled_and_the_stream_read_on()
    {
        TokenStream stream = new();
        using CancellationTokenSource source = new();
        Task<bool> wait = stream.WaitToReadAsync(source.Token).AsTask();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.WaitToReadAsync(source.Token).AsTask());
        stream.Write(new TokenEvent { Token = 3 });
        Assert.Equal(3, (await stream.ReadAsync(Cancellation)).Token);
    }

    [Fact]
    public async Task Cancelling_races_with_writing_and_nothing_is_lost()
    {
        for (int round = 0; round < 2_000; round++)
        {
            TokenStream stream = new();
            using CancellationTokenSource source = new();
            Task<bool> wait = stream.WaitToReadAsync(source.Token).AsTask();
            Task cancel = Task.Run(source.Cancel, Cancellation);
            stream.Write(new TokenEvent { Token = round });
            bool cancelled = false;
            try
            {
                Assert.True(await wait);
            }
            catch (OperationCanceledException)
            {
                cancelled = true;
            }

            await cancel;
            Assert.True(stream.TryPeek(out TokenEvent item) && item.Token == round, $"lost after {(cancelled ? "a cancelled" : "a granted")} wait");
        }
    }

    [Fact]
    public void A_reader_who_keeps_up_costs_no_allocation()
    {
        TokenStream stream = new();
        Pump(stream, 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Pump(stream, 10_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Pump(TokenStream stream, int count)
        {
            for (int i = 0; i < count; i++)
            {
                stream.Write(new TokenEvent { Token = i });
                Assert.True(stream.TryRead(out TokenEvent item) && item.Token == i);
            }
        }
    }
}
