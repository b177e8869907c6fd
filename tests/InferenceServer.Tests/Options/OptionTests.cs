using System.CommandLine;
using System.Reflection;
using InferenceServer.Options;

namespace InferenceServer.Tests.Options;

public class OptionTests
{
    [Fact]
    public void Every_property_has_a_flag_and_every_flag_a_property()
    {
        IEnumerable<string> properties = typeof(ServerOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .SelectMany(section => section.PropertyType.GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(p => $"{section.Name}.{p.Name}"));
        Assert.Equal(properties.Order(StringComparer.Ordinal), OptionCatalog.All.Select(o => o.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void One_name_everywhere()
    {
        OptionSpec spec = OptionCatalog.All.Single(o => o.Path == "Kv.BlockSize");
        Assert.Equal("--kv-block-size", spec.Flag);
        Assert.Equal("InferenceServer__Kv__BlockSize", spec.EnvironmentVariable);
        Assert.Distinct(OptionCatalog.All.SelectMany(o => new[] { o.Flag, o.Alias ?? o.Flag + "*" }));
    }

    [Fact]
    public void The_environment_sets_and_the_command_line_overrides()
    {
        Dictionary<string, string> environment = new() { ["InferenceServer__Http__Port"] = "9001", ["InferenceServer__Kv__Memory"] = "512M" };
        (ServerOptions? options, IReadOnlyList<string> errors) = Read("--port 9002", environment);
        Assert.Empty(errors);
        Assert.Equal(9002, options!.Http.Port);
        Assert.Equal(512L << 20, options.Kv.Memory);
    }

    [Fact]
    public void All_mistakes_come_at_once_and_name_their_flag()
    {
        (ServerOptions? options, IReadOnlyList<string> errors) = Read("--port 99999 --threads many --kv-memory 4X --kv-block-size 17 --tokens-per-step 512 --max-running 4096 --gpu-memory 90 --device cuda:x");
        Assert.Null(options);
        foreach (string flag in new[] { "--port", "--threads", "--kv-memory", "--kv-block-size", "--max-running", "--gpu-memory", "--device" })
            Assert.Contains(errors, e => e.StartsWith(flag, StringComparison.Ordinal) && e.EndsWith('.'));
    }

    [Theory]
    [InlineData("--host 0.0.0.0", false)]
    [InlineData("--host 0.0.0.0 --api-key 0123456789", true)]
    [InlineData("--host ::1", true)]
    [InlineData("--host localhost", true)]
    [InlineData("--host example.org", false)]
    [InlineData("--api-key short", false)]
    [InlineData("--api-key-file /no/such/file", false)]
    [InlineData("--port 8081", false)]
    [InlineData("--port 8081 --grpc false", true)]
    [InlineData("--device tpu", false)]
    [InlineData("--device cuda:", false)]
    [InlineData("--device cuda:-1", false)]
    [InlineData("--device cuda", true)]
    [InlineData("--device cuda:7 --gpu-memory 0.5", true)]
    [InlineData("--device cuda --kv-block-size 24", false)]
    [InlineData("--gpu-memory 0", false)]
    [InlineData("--max-running 1024", true)]
    [InlineData("--kv-type q8", true)]
    [InlineData("--kv-type f16", false)]
    [InlineData("--weights q4", true)]
    [InlineData("--weights as-stored", true)]
    [InlineData("--weights q4_0", false)]
    public void Other_machines_need_a_key_and_ports_a_place(string line, bool accepted) => Assert.Equal(accepted, Read(line).Options is not null);

    [Fact]
    public void Several_keys_by_repetition_or_commas() =>
        Assert.Equal(["first-key", "second-key", "third-key"], Read("--api-key first-key --api-key second-key,third-key").Options!.Auth.ApiKeys);

    [Theory]
    [InlineData("0.8", 0.8)]
    [InlineData("1", 1.0)]
    [InlineData("40G", 42949672960.0)]
    public void Gpu_memory_is_a_share_or_bytes(string value, double expected) => Assert.Equal(expected, Read($"--gpu-memory {value}").Options!.Gpu.Memory);

    private static (ServerOptions? Options, IReadOnlyList<string> Errors) Read(string line, Dictionary<string, string>? environment = null)
    {
        RootCommand root = [];
        OptionReader reader = new(root);
        return reader.Read(root.Parse(line), name => environment?.GetValueOrDefault(name));
    }
}
