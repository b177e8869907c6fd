namespace InferenceServer.Telemetry;

/// <summary>
/// Every metric this server emits. vLLM's names, so that existing dashboards, autoscalers and endpoint pickers work unchanged,
/// and OpenTelemetry's GenAI names for the rest. OpenTelemetry allows no colon in a name, so vllm:x is called vllm.x here and by OTLP;
/// the Prometheus text writes the colon. Changing one breaks somebody's dashboard: a test compares this list with metrics.txt.
/// </summary>
internal static class MetricNames
{
    public const string Running = "vllm.num_requests_running";
    public const string Waiting = "vllm.num_requests_waiting";
    public const string KvUsage = "vllm.kv_cache_usage_perc";
    public const string CacheConfig = "vllm.cache_config_info";
    public const string Preemptions = "vllm.num_preemptions";
    public const string PromptTokens = "vllm.prompt_tokens";
    public const string GenerationTokens = "vllm.generation_tokens";
    public const string CachedTokens = "vllm.prompt_tokens_cached";
    public const string PrefixQueries = "vllm.prefix_cache_queries";
    public const string PrefixHits = "vllm.prefix_cache_hits";
    public const string Success = "vllm.request_success";
    public const string Rejections = "vllm.admission_rejections";
    public const string Restarts = "vllm.engine_restarts";
    public const string TimeToFirstToken = "vllm.time_to_first_token_seconds";
    public const string InterTokenLatency = "vllm.inter_token_latency_seconds";
    public const string TimePerOutputToken = "vllm.request_time_per_output_token_seconds";
    public const string EndToEnd = "vllm.e2e_request_latency_seconds";
    public const string QueueTime = "vllm.request_queue_time_seconds";
    public const string PrefillTime = "vllm.request_prefill_time_seconds";
    public const string DecodeTime = "vllm.request_decode_time_seconds";
    public const string InferenceTime = "vllm.request_inference_time_seconds";
    public const string RequestPromptTokens = "vllm.request_prompt_tokens";
    public const string RequestGenerationTokens = "vllm.request_generation_tokens";
    public const string IterationTokens = "vllm.iteration_tokens";
    public const string GenAiDuration = "gen_ai.server.request.duration";
    public const string GenAiTimeToFirstToken = "gen_ai.server.time_to_first_token";
    public const string GenAiTimePerOutputToken = "gen_ai.server.time_per_output_token";
}
