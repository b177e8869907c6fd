using InferenceServer.Generation;
using InferenceServer.Grpc.Protocol;
using InferenceServer.Grpc.Services;
using InferenceServer.Grpc.Wire;
using InferenceServer.Grpc.Wire.Health;
using InferenceServer.Grpc.Wire.Reflection;
using InferenceServer.Hosting;
using InferenceServer.Http;
using InferenceServer.Options;

namespace InferenceServer.Grpc;

/// <summary>
/// Every method of the gRPC door. To add a service: its .proto in Protos (the build generates the messages), a class in Services with a
/// Map of its own, a line here, and its file among those that reflection shows.
/// </summary>
internal static class GrpcApi
{
    public static void Map(WebApplication app)
    {
        IServiceProvider services = app.Services;
        ServerOptions options = services.GetRequiredService<ServerOptions>();
        if (!options.Grpc.Enabled) return;
        ModelRegistry models = services.GetRequiredService<ModelRegistry>();
        IHostApplicationLifetime lifetime = services.GetRequiredService<IHostApplicationLifetime>();
        CallAuthentication authentication = new(services.GetRequiredService<ApiKeys>());
        StreamTiming timing = services.GetService<StreamTiming>() ?? new StreamTiming();
        GrpcLimits limits = new(options.Http.MaxBodyBytes, timing.StallLimit);
        GrpcRoutes routes = new(app, new GrpcInvoker(limits, services.GetRequiredService<ILogger<GrpcInvoker>>()));

        InferenceService.Map(routes, new InferenceService(services.GetRequiredService<GenerationPipeline>(), authentication, options.Http));
        ControlService.Map(routes, new ControlService(models, services.GetRequiredService<RunningRequests>(), authentication, options));
        HealthService.Map(routes, new HealthService(models, lifetime, services.GetRequiredService<TimeProvider>()));
        if (options.Grpc.Reflection)
        {
            ReflectionService.Map(routes, new ReflectionService(lifetime,
                InferenceReflection.Descriptor, ControlReflection.Descriptor, HealthReflection.Descriptor, ReflectionReflection.Descriptor));
        }

        app.Use(UnknownMethods);
    }

    // Not a route: a pattern that catches every method would turn HTTP's 404s into 405s.
    private static Task UnknownMethods(HttpContext http, RequestDelegate next) =>
        http.GetEndpoint() is null && GrpcInvoker.IsGrpc(http) ? GrpcInvoker.UnknownMethodAsync(http) : next(http);
}
