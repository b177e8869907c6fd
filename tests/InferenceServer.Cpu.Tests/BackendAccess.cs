using InferenceServer.Core.Compute;
using InferenceServer.Cpu.Handles;

namespace InferenceServer.Cpu.Tests;

/// <summary>Rows in and out of activations.</summary>
internal static unsafe class BackendAccess
{
    public static Activation Fill(this CpuBackend backend, float[][] rows)
    {
        CpuActivation activation = (CpuActivation)backend.AllocateActivation(rows.Length, rows[0].Length);
        activation.Rows = rows.Length;
        for (int i = 0; i < rows.Length; i++) rows[i].CopyTo(new Span<float>(activation.Row(i), activation.Columns));
        return activation;
    }

    public static float[][] ReadAll(this CpuBackend backend, Activation activation) =>
        [.. Enumerable.Range(0, activation.Rows).Select(row => backend.ReadRow(activation, row).ToArray())];
}
