using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace InferenceServer.PacedStreams;

/// <summary>
/// One streaming client at the least cost: a socket, one buffer, a search for stamps. Completions run where the socket's event was found
/// (see <see cref="ClientProcess"/>), so a received token costs a system call and a search.
/// </summary>
internal sealed class StreamReader : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly SocketAsyncEventArgs _receive = new();
    private readonly byte[] _buffer = new byte[16 << 10];
    private readonly Action _began;
    private volatile bool _disposed;
    private int _held; // bytes of a stamp whose end has not come yet

    /// <param name="maxTokens">How many are logged.</param>
    /// <param name="began">Called at the first token.</param>
    public StreamReader(int maxTokens, Action began)
    {
        Log = new LatencyLog(maxTokens);
        _began = began;
        _receive.Completed += (_, _) => Continue();
    }

    /// <summary>Emission to reception here.</summary>
    public LatencyLog Log { get; }

    /// <summary>Why it ended early.</summary>
    public string? Failure { get; private set; }

    public void Start(int port, int maxTokens)
    {
        string body = $$"""{"model":"paced","stream":true,"max_tokens":{{maxTokens}},"messages":[{"role":"user","content":"Go!"}]}""";
        _socket.Connect(IPAddress.Loopback, port);
        _socket.Send(Encoding.ASCII.GetBytes($"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        if (!Receive()) Continue();
    }

    public void Dispose()
    {
        _disposed = true;
        _socket.Dispose();
        _receive.Dispose();
    }

    /// <summary>False: it is done already.</summary>
    private bool Receive()
    {
        try
        {
            _receive.SetBuffer(_buffer, _held, _buffer.Length - _held);
            return _socket.ReceiveAsync(_receive);
        }
        catch (ObjectDisposedException) when (_disposed)
        {
            return true; // closed while the last bytes were looked at
        }
    }

    private void Continue()
    {
        do
        {
            long now = Stopwatch.GetTimestamp();
            if (_receive.SocketError != SocketError.Success || _receive.BytesTransferred == 0)
            {
                Failure = $"The stream ended after {Log.Count} tokens ({_receive.SocketError}).";
                return;
            }

            bool first = Log.Count == 0;
            ReadOnlySpan<byte> rest = _buffer.AsSpan(0, _held + _receive.BytesTransferred);
            if (first && !rest.StartsWith("HTTP/1.1 200"u8) && rest.StartsWith("HTTP"u8))
            {
                Failure = Encoding.UTF8.GetString(rest);
                return;
            }

            for (bool leads = true; Stamp.TryTake(ref rest, out long emitted); leads = false) Log.Record(emitted, now, leads);
            rest.CopyTo(_buffer);
            _held = rest.Length;
            if (first && Log.Count > 0) _began();
        }
        while (!Receive());
    }
}
