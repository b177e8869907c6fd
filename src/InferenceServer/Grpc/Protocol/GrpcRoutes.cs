using Google.Protobuf;

namespace InferenceServer.Grpc.Protocol;

/// <summary>
/// Maps methods of generated message types to URLs. This folder stands in for Grpc.AspNetCore and knows nothing of inference:
/// a service that moves there keeps its methods and changes their last parameter.
/// </summary>
internal sealed class GrpcRoutes(IEndpointRouteBuilder routes, GrpcInvoker invoker)
{
    /// <param name="name">"package.Service/Method".</param>
    /// <param name="parser">Of the request type.</param>
    /// <param name="method">From one request to one response.</param>
    public void Unary<TRequest, TResponse>(string name, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, Task<TResponse>> method)
        where TRequest : class, IMessage<TRequest> where TResponse : class, IMessage<TResponse> =>
        Map(name, duplex: false, async call => call.Write(await method(await call.ReadOneAsync(parser), call)));

    /// <summary>The method writes as many responses as it likes.</summary>
    public void ServerStream<TRequest>(string name, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, Task> method)
        where TRequest : class, IMessage<TRequest> =>
        Map(name, duplex: false, async call => await method(await call.ReadOneAsync(parser), call));

    /// <summary>The method reads and writes as it likes.</summary>
    public void Duplex(string name, Func<GrpcCall, Task> method) => Map(name, duplex: true, method);

    private void Map(string name, bool duplex, Func<GrpcCall, Task> method) =>
        routes.MapPost("/" + name, http => invoker.InvokeAsync(http, duplex, method)).WithDisplayName("gRPC " + name);
}
