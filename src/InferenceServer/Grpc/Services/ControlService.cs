using InferenceServer.Core.Requests;
using InferenceServer.Generation;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Requests;
using InferenceServer.Grpc.Wire;
using InferenceServer.Hosting;
using InferenceServer.Options;

namespace InferenceServer.Grpc.Services;

/// <summary>vllm.Control: what the server is, and ending requests by their ids. Thread-safe.</summary>
internal sealed class ControlService(ModelRegistry models, RunningRequests running, CallAuthentication authentication, ServerOptions options)
{
    public const string Name = "vllm.Control";
    private const string ApiVersion = "v1";
    private const int MaxAborts = 65_536; // more ids than requests that may run and wait

    private readonly string _instance = Guid.NewGuid().ToString("N");

    public static void Map(GrpcRoutes routes, ControlService service)
    {
        routes.Unary(Name + "/GetServerInfo", GetServerInfoRequest.Parser, service.GetServerInfoAsync);
        routes.Unary(Name + "/GetModelInfo", GetModelInfoRequest.Parser, service.GetModelInfoAsync);
        routes.Unary(Name + "/Abort", AbortRequest.Parser, service.AbortAsync);
    }

    private Task<ServerInfo> GetServerInfoAsync(GetServerInfoRequest request, GrpcCall call)
    {
        authentication.Authenticate(call);
        ServedModel model = Model();
        EngineStatus status = model.Engine.Status;
        return Task.FromResult(new ServerInfo
        {
            EngineVersion = typeof(ControlService).Assembly.GetName().Version?.ToString(3) ?? "",
            ApiVersion = ApiVersion,
            InstanceId = _instance,
            Parallelism = new ParallelismInfo
            {
                TensorParallelSize = 1,
                PipelineParallelSize = 1,
                DataParallelSize = 1,
                DecodeContextParallelSize = 1,
                WorldSize = 1,
                DataParallelSizeLocal = 1,
            },
            MaxModelLen = (uint)model.ContextLength,
            KvBlockSize = (uint)status.BlockSize,
            TotalKvBlocks = (ulong)status.BlocksTotal,
            MaxRunningRequests = (ulong)options.Scheduler.MaxRunning,
            MaxBatchedTokens = (ulong)model.TokensPerStep,
            RlCapabilities = new RlCapabilities(),
            EffectiveAttentionBlockSize = (ulong)status.BlockSize,
        });
    }

    private Task<ModelInfo> GetModelInfoAsync(GetModelInfoRequest request, GrpcCall call)
    {
        authentication.Authenticate(call);
        ServedModel model = Model();
        return Task.FromResult(new ModelInfo
        {
            ModelId = model.Id,
            ServedModelName = model.Id,
            SupportsTextInput = true,
            SupportsTokenIdsInput = true,
        });
    }

    private Task<AbortResponse> AbortAsync(AbortRequest request, GrpcCall call)
    {
        Caller caller = authentication.Authenticate(call);
        if (request.RequestIds.Count > MaxAborts) throw Refusal.Invalid("request_ids", $"has {request.RequestIds.Count} entries; at most {MaxAborts} are taken.");
        running.Abort(caller.Tenant, request.RequestIds.ToHashSet());
        return Task.FromResult(new AbortResponse());
    }

    private ServedModel Model() => models.TryResolve(null, out ServedModel? model, out RequestRejected? rejection) ? model : throw new GrpcException(rejection);
}
