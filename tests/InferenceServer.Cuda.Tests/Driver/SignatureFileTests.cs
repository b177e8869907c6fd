using System.Reflection;
using InferenceServer.Cuda.Blas;
using InferenceServer.Cuda.Driver;
using InferenceServer.Cuda.Tests.Bench;

namespace InferenceServer.Cuda.Tests.Driver;

/// <summary>native/driver_signatures.c, which a machine with a toolkit compiles, speaks of every call in our tables.</summary>
public sealed class SignatureFileTests
{
    [Theory]
    [InlineData(typeof(DriverApi))]
    [InlineData(typeof(CublasLtApi))]
    public void Every_call_is_compared_with_the_real_header(Type table)
    {
        string file = File.ReadAllText(Path.Combine(GpuBenchFiles.Root, "native", "driver_signatures.c"));
        FieldInfo[] calls = [.. table.GetFields().Where(f => f.FieldType.IsFunctionPointer)];
        Assert.NotEmpty(calls);
        Assert.All(calls, call => Assert.Contains($"({call.Name}, ", file, StringComparison.Ordinal));
    }
}
