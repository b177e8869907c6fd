using System.Diagnostics;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace InferenceServer.PacedStreams;

/// <summary>A response body that notes when each token's flush came back from the web server.</summary>
internal sealed class StampingBody(IHttpResponseBodyFeature inner, LatencyLog log) : IHttpResponseBodyFeature
{
    private readonly StampingWriter _writer = new(inner.Writer, log);

    public Stream Stream => inner.Stream;

    public PipeWriter Writer => _writer;

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => inner.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        inner.SendFileAsync(path, offset, count, cancellationToken);

    public Task CompleteAsync() => inner.CompleteAsync();

    private sealed class StampingWriter(PipeWriter inner, LatencyLog log) : PipeWriter
    {
        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            ValueTask<FlushResult> flush = inner.WriteAsync(source, cancellationToken);
            if (!flush.IsCompletedSuccessfully) return WaitAsync(flush, source);
            Record(source.Span);
            return flush;
        }

        public override void Advance(int bytes) => inner.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

        private async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush, ReadOnlyMemory<byte> source)
        {
            FlushResult result = await flush;
            Record(source.Span);
            return result;
        }

        private void Record(ReadOnlySpan<byte> sent)
        {
            long now = Stopwatch.GetTimestamp();
            for (bool leads = true; Stamp.TryTake(ref sent, out long emitted); leads = false) log.Record(emitted, now, leads);
        }
    }
}
