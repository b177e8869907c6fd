using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using InferenceServer.Grpc.Protocol;

namespace InferenceServer.Tests.Grpc;

/// <summary>gRPC over HttpClient, written apart from the server's layer, so that both cannot share a mistake.</summary>
internal sealed class GrpcClient(Uri address) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };

    public async Task<T> CallAsync<T>(string method, IMessage request, MessageParser<T> parser, CancellationToken cancellation, params (string Name, string Value)[] metadata)
        where T : class, IMessage<T>
    {
        List<T> responses = [];
        await foreach (T response in StreamAsync(method, Frame(request), parser, cancellation, metadata)) responses.Add(response);
        return Assert.Single(responses);
    }

    public IAsyncEnumerable<T> StreamAsync<T>(string method, IMessage request, MessageParser<T> parser, CancellationToken cancellation, params (string Name, string Value)[] metadata)
        where T : class, IMessage<T> => StreamAsync(method, Frame(request), parser, cancellation, metadata);

    /// <param name="method">"package.Service/Method".</param>
    /// <param name="body">Sent as it is, however wrong.</param>
    /// <param name="parser">Of the responses.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <param name="metadata">Headers.</param>
    /// <exception cref="RpcFailure">After the last response, when the status is not OK.</exception>
    public async IAsyncEnumerable<T> StreamAsync<T>(string method, byte[] body, MessageParser<T> parser, [EnumeratorCancellation] CancellationToken cancellation, params (string Name, string Value)[] metadata)
        where T : class, IMessage<T>
    {
        using HttpResponseMessage response = await SendAsync(method, body, cancellation, metadata);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
        byte[] prefix = new byte[5];
        while (await stream.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, cancellation) == 5)
        {
            Assert.Equal(0, prefix[0]);
            byte[] message = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1))];
            await stream.ReadExactlyAsync(message, cancellation);
            yield return parser.ParseFrom(message);
        }

        CheckStatus(response);
    }

    public Task<HttpResponseMessage> SendAsync(string method, byte[] body, CancellationToken cancellation, params (string Name, string Value)[] metadata)
    {
        HttpRequestMessage message = new(HttpMethod.Post, "/" + method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        message.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        foreach ((string name, string value) in metadata)
        {
            if (name == "content-type") message.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(value);
            else message.Headers.TryAddWithoutValidation(name, value);
        }

        return _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation);
    }

    public static byte[] Frame(params IMessage[] messages)
    {
        MemoryStream body = new();
        foreach (IMessage message in messages)
        {
            byte[] bytes = message.ToByteArray();
            byte[] prefix = new byte[5];
            BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), bytes.Length);
            body.Write(prefix);
            body.Write(bytes);
        }

        return body.ToArray();
    }

    public void Dispose() => _http.Dispose();

    private static void CheckStatus(HttpResponseMessage response)
    {
        bool trailersOnly = response.Headers.Contains("grpc-status");
        HttpHeaders place = trailersOnly ? response.Headers : response.TrailingHeaders;
        Assert.True(place.TryGetValues("grpc-status", out IEnumerable<string>? values), "The response has no grpc-status.");
        GrpcStatus status = (GrpcStatus)int.Parse(values!.Single(), CultureInfo.InvariantCulture);
        string sentence = place.TryGetValues("grpc-message", out IEnumerable<string>? messages) ? Uri.UnescapeDataString(messages.Single()) : "";
        if (status != GrpcStatus.Ok) throw new RpcFailure(status, sentence, place, trailersOnly);
    }
}
