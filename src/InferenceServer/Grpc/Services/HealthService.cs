using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Wire.Health;
using InferenceServer.Hosting;
using Status = InferenceServer.Grpc.Wire.Health.HealthCheckResponse.Types.ServingStatus;

namespace InferenceServer.Grpc.Services;

/// <summary>grpc.health.v1. Needs no key, as /health. Thread-safe.</summary>
internal sealed class HealthService(ModelRegistry models, IHostApplicationLifetime lifetime, TimeProvider time)
{
    public const string Name = "grpc.health.v1.Health";

    // Load balancers act within seconds; reading the state costs nanoseconds.
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(200);

    public static void Map(GrpcRoutes routes, HealthService service)
    {
        routes.Unary(Name + "/Check", HealthCheckRequest.Parser, service.CheckAsync);
        routes.ServerStream(Name + "/Watch", HealthCheckRequest.Parser, service.WatchAsync);
    }

    private Task<HealthCheckResponse> CheckAsync(HealthCheckRequest request, GrpcCall call)
    {
        Status status = StatusOf(request.Service);
        return status == Status.ServiceUnknown
            ? throw new GrpcException(GrpcStatus.NotFound, "There is no such service; known are '', liveness, readiness and the full names of the services.")
            : Task.FromResult(new HealthCheckResponse { Status = status });
    }

    private async Task WatchAsync(HealthCheckRequest request, GrpcCall call)
    {
        using CancellationTokenSource ends = CancellationTokenSource.CreateLinkedTokenSource(call.Cancelled, lifetime.ApplicationStopping);
        Status? sent = null;
        while (true)
        {
            Status status = StatusOf(request.Service);
            if (status != sent)
            {
                call.Write(new HealthCheckResponse { Status = status });
                await call.FlushAsync();
                sent = status;
            }

            // A watch must not hold up the shutdown that it has just told of.
            if (lifetime.ApplicationStopping.IsCancellationRequested) throw new GrpcException(GrpcStatus.Unavailable, "The server is shutting down.");
            await Task.Delay(WatchInterval, time, ends.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            call.Cancelled.ThrowIfCancellationRequested();
        }
    }

    private Status StatusOf(string service) => service switch
    {
        "liveness" => Status.Serving,
        "" or "readiness" or InferenceService.Name or ControlService.Name => IsReady() ? Status.Serving : Status.NotServing,
        _ => Status.ServiceUnknown,
    };

    private bool IsReady() =>
        models.Ready is { } model && model.Engine.Status is { Healthy: true, Draining: false } && !lifetime.ApplicationStopping.IsCancellationRequested;
}
