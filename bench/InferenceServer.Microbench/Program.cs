using BenchmarkDotNet.Running;
using InferenceServer.Microbench;

BenchmarkSwitcher.FromAssembly(typeof(MicrobenchConfig).Assembly).Run(args, new MicrobenchConfig());
