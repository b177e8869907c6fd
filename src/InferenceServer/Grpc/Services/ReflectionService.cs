using Google.Protobuf.Reflection;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire.Reflection;

namespace InferenceServer.Grpc.Services;

/// <summary>grpc.reflection: lets clients such as grpcurl list the services and their types. Immutable and thread-safe.</summary>
internal sealed class ReflectionService
{
    private readonly Dictionary<string, FileDescriptor> _byName = [];
    private readonly Dictionary<string, FileDescriptor> _bySymbol = [];
    private readonly IHostApplicationLifetime _lifetime;

    /// <param name="lifetime">An idle client must not hold up the shutdown.</param>
    /// <param name="files">What to describe; imports come along.</param>
    public ReflectionService(IHostApplicationLifetime lifetime, params ReadOnlySpan<FileDescriptor> files)
    {
        _lifetime = lifetime;
        foreach (FileDescriptor file in files) Add(file);
    }

    public static void Map(GrpcRoutes routes, ReflectionService service)
    {
        routes.Duplex("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", service.AnswerAsync);
        routes.Duplex("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", service.AnswerAsync);
    }

    private async Task AnswerAsync(GrpcCall call)
    {
        using CancellationTokenRegistration stop = _lifetime.ApplicationStopping.Register(call.StopReading);
        while (await call.ReadAsync(ServerReflectionRequest.Parser) is { } request)
        {
            call.Write(Answer(request));
            await call.FlushAsync();
        }
    }

    private ServerReflectionResponse Answer(ServerReflectionRequest request)
    {
        ServerReflectionResponse response = new() { ValidHost = request.Host, OriginalRequest = request };
        switch (request.MessageRequestCase)
        {
            case ServerReflectionRequest.MessageRequestOneofCase.ListServices:
                response.ListServicesResponse = new ListServiceResponse();
                response.ListServicesResponse.Service.AddRange(Services().Select(name => new ServiceResponse { Name = name }));
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileByFilename:
                AnswerFile(response, _byName.GetValueOrDefault(request.FileByFilename), request.FileByFilename);
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol:
                AnswerFile(response, _bySymbol.GetValueOrDefault(request.FileContainingSymbol), request.FileContainingSymbol);
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType when _bySymbol.ContainsKey(request.AllExtensionNumbersOfType):
                response.AllExtensionNumbersResponse = new ExtensionNumberResponse { BaseTypeName = request.AllExtensionNumbersOfType };
                break;
            default:
                response.ErrorResponse = NotFound(request.MessageRequestCase.ToString());
                break;
        }

        return response;
    }

    private IEnumerable<string> Services() => _byName.Values.SelectMany(file => file.Services).Select(service => service.FullName).Order(StringComparer.Ordinal);

    private static void AnswerFile(ServerReflectionResponse response, FileDescriptor? file, string wanted)
    {
        if (file is null)
        {
            response.ErrorResponse = NotFound(wanted);
            return;
        }

        response.FileDescriptorResponse = new FileDescriptorResponse();
        HashSet<FileDescriptor> sent = [];
        Send(file);

        void Send(FileDescriptor one)
        {
            if (!sent.Add(one)) return;
            response.FileDescriptorResponse.FileDescriptorProto.Add(one.SerializedData);
            foreach (FileDescriptor import in one.Dependencies) Send(import);
        }
    }

    private static ErrorResponse NotFound(string wanted) =>
        new() { ErrorCode = (int)GrpcStatus.NotFound, ErrorMessage = $"'{(wanted.Length > 128 ? wanted[..128] : wanted)}' is not known here." };

    private void Add(FileDescriptor file)
    {
        if (!_byName.TryAdd(file.Name, file)) return;
        foreach (FileDescriptor import in file.Dependencies) Add(import);
        foreach (MessageDescriptor message in file.MessageTypes) Add(message);
        foreach (EnumDescriptor one in file.EnumTypes) _bySymbol[one.FullName] = file;
        foreach (Google.Protobuf.Reflection.ServiceDescriptor service in file.Services)
        {
            _bySymbol[service.FullName] = file;
            foreach (MethodDescriptor method in service.Methods) _bySymbol[method.FullName] = file;
        }
    }

    private void Add(MessageDescriptor message)
    {
        _bySymbol[message.FullName] = message.File;
        foreach (MessageDescriptor nested in message.NestedTypes) Add(nested);
        foreach (EnumDescriptor nested in message.EnumTypes) _bySymbol[nested.FullName] = message.File;
    }
}
