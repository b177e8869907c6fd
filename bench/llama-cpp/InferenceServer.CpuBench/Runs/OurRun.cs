using System.Diagnostics;
using InferenceServer.Core.Requests;
using InferenceServer.Hosting;

namespace InferenceServer.CpuBench.Runs;

/// <summary>
/// Our side of one case: the model loaded as the server loads it, requests through the engine's one door (scheduler, paged KV, greedy sampling), with what
/// the engine says about time. A process measures one case and ends, as llama-bench does.
/// </summary>
internal static class OurRun
{
    private const long KvBytes = 256 << 20; // 11,900 tokens of TinyLlama in two bytes a number; the largest case needs 4,600
    private const int TokensAhead = 96; // what early sequences of a batch may generate before the last one's prompt is computed

    /// <param name="path">A GGUF file or a Hugging Face folder.</param>
    public static async Task<BenchRun> MeasureAsync(string path, string format, BenchCase @case, int threads)
    {
        (LoadedModel model, double loadSeconds) = await OurModel.LoadAsync(path, threads, KvBytes);
        await using (model)
        {
            Case measured = new(model.Served.Engine, model.Served.VocabularySize, @case);
            double rate = @case.Output == 0 ? measured.Prompt() : measured.Decode();
            using Process self = Process.GetCurrentProcess();
            return new BenchRun
            {
                Side = BenchRun.Ours,
                Format = format,
                Case = @case.Name,
                Flags = $"--threads {threads}",
                TokensPerSecond = rate,
                LoadSeconds = loadSeconds,
                KvBytes = KvBytes,
                SteadyBytes = self.WorkingSet64,
                PeakBytes = self.PeakWorkingSet64,
            };
        }
    }

    /// <summary>Requests that a case consists of. Warmed up as llama.cpp's programs warm up: a prompt of the size before a prompt, some steps before decoding.</summary>
    private sealed class Case(IEngine engine, int vocabulary, BenchCase @case)
    {
        private int _requests;

        /// <summary>From the submission of a prompt on an idle engine to its first token.</summary>
        public double Prompt()
        {
            TimePrompt();
            return @case.Prompt / TimePrompt();
        }

        /// <summary>From the last sequence's first token, from where every step decodes all, to its last.</summary>
        public double Decode()
        {
            DecodeAll(tokens: 4);
            return DecodeAll(@case.Output);
        }

        private double TimePrompt()
        {
            RunningRequest request = Submit(@case.Prompt, maxTokens: 1);
            request.WaitForTokens(1);
            request.End();
            return Seconds(request.Submitted, request.Stamps[0]);
        }

        private double DecodeAll(int tokens)
        {
            int ahead = @case.Sequences > 1 ? TokensAhead : 0;
            List<RunningRequest> all = [];
            for (int i = 0; i < @case.Sequences; i++) all.Add(Submit(Math.Max(1, @case.Prompt), tokens + 1 + ahead));
            foreach (RunningRequest request in all) request.WaitForTokens(1);
            RunningRequest last = all.MaxBy(r => r.Stamps[0])!;
            last.WaitForTokens(tokens + 1);
            long from = last.Stamps[0], to = last.Stamps[tokens];
            int emitted = all.Sum(r => r.Stamps.Count(stamp => stamp > from && stamp <= to));
            foreach (RunningRequest request in all) request.End();
            int expected = tokens * @case.Sequences;
            // A token at an edge may fall on either side of it.
            if (Math.Abs(emitted - expected) > @case.Sequences)
                throw new BenchException($"{emitted} tokens came while {expected} were expected: some sequences did not run all the time, and the rate would mean nothing.");
            return emitted / Seconds(from, to);
        }

        private RunningRequest Submit(int length, int maxTokens)
        {
            Random random = new(1 + _requests);
            int[] prompt = new int[length];
            for (int i = 0; i < length; i++) prompt[i] = random.Next(vocabulary);
            return RunningRequest.Submit(engine, $"bench-{_requests++}", prompt, maxTokens);
        }

        private static double Seconds(long from, long to) => (to - from) / (double)TimeProvider.System.TimestampFrequency;
    }
}
