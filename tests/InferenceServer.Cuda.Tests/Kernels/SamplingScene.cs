using InferenceServer.Core.Requests;
using InferenceServer.Core.Stepping;
using InferenceServer.Cuda.Kernels;
using InferenceServer.Cuda.Steps;

namespace InferenceServer.Cuda.Tests.Kernels;

/// <summary>Rows of logits with what is wanted of each, sampled by one launch. Rows are written as the backend writes them.</summary>
internal sealed class SamplingScene(int vocabulary)
{
    private readonly List<(float[] Logits, LogitsRow Row, int Pending)> _rows = [];

    public int Vocabulary { get; } = vocabulary;

    public IReadOnlyList<(float[] Logits, LogitsRow Row, int Pending)> Rows => _rows;

    /// <param name="pending">Token fed back and not counted yet; -1: none.</param>
    public void Add(float[] logits, SamplingParameters parameters, ulong seed = 7, int[]? generated = null, int[]? prompt = null, int[]? stops = null, int pending = -1, int scored = -1)
    {
        SamplingState state = new(parameters, seed, stops ?? [], prompt ?? []);
        foreach (int token in generated ?? []) state.Accept(token);
        _rows.Add((logits, new LogitsRow
        {
            Token = _rows.Count,
            Sequence = _rows.Count,
            Position = 5 + _rows.Count % 3,
            Kind = scored >= 0 ? LogitsRowKind.Score : LogitsRowKind.Sample,
            TargetToken = scored,
            PendingTokens = pending >= 0 ? 1 : 0,
            Sampling = state,
        }, pending));
    }

    public SampleOut[] Run(KernelRig rig) => Run(rig, out _);

    /// <param name="feed">(rows) -7 where the kernel wrote nothing.</param>
    public SampleOut[] Run(KernelRig rig, out int[] feed)
    {
        int stride = Numbers.Stride(Vocabulary);
        float[] logits = new float[_rows.Count * stride];
        logits.AsSpan().Fill(float.NaN);
        SampleEdit[] buffer = new SampleEdit[_rows.Count * 64];
        uint[] masks = new uint[_rows.Count * ((Vocabulary + 31) / 32)];
        Appender<SampleEdit> edits = new(buffer, 0);
        Appender<uint> bits = new(masks, 0);
        SampleRow[] rows = new SampleRow[_rows.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            LogitsRow wanted = _rows[i].Row;
            _rows[i].Logits.CopyTo(logits, i * stride);
            rows[i] = SampleRowWriter.Write(in wanted, Vocabulary, ref edits);
            if (SampleRowWriter.WantsMask(in wanted)) rows[i].Mask = SampleRowWriter.WriteMask(in wanted, Vocabulary, ref bits);
        }

        SampleParams parameters = new()
        {
            Logits = rig.Upload<float>(logits),
            Rows = rig.Upload<SampleRow>(rows),
            Edits = rig.Upload<SampleEdit>(buffer),
            Masks = rig.Upload<uint>(masks),
            Resolved = rig.Upload<int>(_rows.Select(r => r.Pending).ToArray()),
            Results = rig.Zeros(rows.Length * 16),
            Feed = rig.Upload<int>(Enumerable.Repeat(-7, rows.Length).ToArray()),
            Vocabulary = Vocabulary,
            LogitsStride = stride,
        };
        new SamplingKernel(rig.Library).Launch(rig.Stream, parameters, rows.Length);
        feed = rig.Download<int>(parameters.Feed, rows.Length);
        return rig.Download<SampleOut>(parameters.Results, rows.Length);
    }
}
