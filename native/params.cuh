// The one contract between the kernels and InferenceServer.Cuda: a plain struct a kernel, mirrored by src/InferenceServer.Cuda/Kernels/KernelParams.cs.
// The size of each is checked against the loaded module at start (cuFuncGetParamInfo), the offsets by a test.
//
// Conventions. T is bf16 or f16, by the kernel's suffix. Rows of activations and weights have a stride in elements that is a multiple of 8
// (16 bytes); padding columns of weights are zero, those of activations are written as zero by whoever writes the row, so a kernel may read
// K rounded up to 8. The residual stream and logits are f32, everything else between kernels is T. In a graph the rows of a bucket beyond
// the batch are padding: token id 0, slot -1, no attention item, a sample row with SAMPLE_SKIP. A kernel must do no harm there.
#pragma once
#include "cuport.cuh"

// ---- embedding.cu: embed_{bf16,f16}; grid (tokens)
struct EmbedParams {
  const void* table;      // (vocabulary, table_stride) T
  const int* token_ids;   // (tokens) < 0: the token that row ~id of the step before chose
  const int* feed;        // (rows) what the step before chose
  int* resolved;          // (tokens) out: the ids with feedback filled in
  float* out;             // (tokens, out_stride)
  int columns, table_stride, out_stride, vocabulary;  // ids outside the vocabulary read as 0
};

// ---- norm.cu: rmsnorm_{bf16,f16}; grid (rows)
struct NormParams {
  float* residual;        // (rows, residual_stride) in; with delta: in and out
  const void* delta;      // (rows, delta_stride) T, or null
  const float* gain;      // (columns)
  void* out;              // (rows, out_stride) T
  int columns, residual_stride, delta_stride, out_stride;
  float epsilon;
};

// ---- gemv.cu: gemv_{bf16,f16}_m{1,2,4,8}; gemm.cu: gemm_{bf16,f16}_<tile>.   y = x * w^T + bias
struct LinearParams {
  const void* x;          // (m, x_stride) T
  const void* w;          // (n, w_stride) T
  const float* bias;      // (n) or null
  void* y;                // (m, y_stride) T, or f32 if y_f32
  float* partial;         // split-K workspace, (splits, m, n rounded up to 8) f32; null if splits = 1
  int* counters;          // split-K arrivals a tile, zero before and after
  int m, n, k, x_stride, w_stride, y_stride, y_f32, splits;
};

// ---- gemv.cu: gemv_gateup_{bf16,f16}_m{1,2,4,8}.   y = silu(x * gate^T) * (x * up^T)
struct GateUpParams {
  const void* x;          // (m, x_stride) T
  const void* w;          // (2 * intermediate, w_stride) T: gate over up
  void* y;                // (m, y_stride) T
  int m, intermediate, k, x_stride, w_stride, y_stride;
};

// ---- silu.cu: silu_mul_{bf16,f16}; after a GEMM
struct SiluParams {
  const void* gate_up;    // (rows, x_stride) T: gate, then up at column `intermediate`
  void* y;                // (rows, y_stride) T
  int rows, intermediate, x_stride, y_stride;
};

// ---- bias.cu: add_bias_{bf16,f16}; after a library GEMM
struct BiasParams {
  void* y;                // (rows, y_stride) T
  const float* bias;      // (n)
  int rows, n, y_stride;
};

// ---- rope.cu: rope_kv_{bf16,f16}. In place on qkv: optional norm of each head of q and k, RoPE on pairs (i, i + rotary_dim / 2); stores k, v.
// A layer's cache: (blocks, kv_heads, block size, head_dim) T, block size = 1 << block_shift, slot = block * block size + offset.
struct RopeParams {
  void* qkv;              // (tokens, qkv_stride) T: heads query heads, kv_heads key heads, kv_heads value heads
  const float* cosines;   // (positions, rotary_dim / 2)
  const float* sines;
  const int* positions;   // (tokens)
  const int* slots;       // (tokens) < 0: store nothing
  void* k_cache;
  void* v_cache;
  const float* q_gain;    // (head_dim) or null
  const float* k_gain;
  float epsilon;
  int tokens, heads, kv_heads, head_dim, rotary_dim, qkv_stride, block_shift;
};

// ---- attention_decode.cu: attention_decode_{bf16,f16}_hd{32,64,128,256}_g{1,2,4,8}
// A query row attends positions [begin, end) of its sequence in `splits` pieces; the piece that finishes last combines them.
// grid (kv_heads, any, ceil(group / g)): blocks walk the items, so that the grid of a graph does not depend on the step.
// hd is the compiled head size >= head_dim (a multiple of 8), g the query heads a block takes of a group.
struct DecodeItem { int token, table, begin, end, split, splits, partial, length; };  // token: row of qkv; table: offset into tables; partial: first of `splits` slots; length: keys the token sees without a window
struct DecodeParams {
  const void* qkv;        // (tokens, qkv_stride) T after rope_kv
  const void* k_cache;    // this layer's
  const void* v_cache;
  const int* tables;      // packed block tables of all sequences
  const DecodeItem* items;
  const int* item_count;
  float* partial_out;     // (partials, heads, head_dim) unnormalised
  float* partial_ml;      // (partials, heads, 2) running maximum (base 2) and sum
  int* counters;          // (partials, heads) arrivals at a first partial, zero before and after
  void* out;              // (tokens, out_stride) T: heads * head_dim
  int qkv_stride, out_stride, heads, kv_heads, head_dim, block_shift, window;  // window: 0 = all, else the last `window` positions, own included
  float scale_log2;       // softmax scale * log2(e)
};

// ---- attention_prefill.cu: attention_prefill_{bf16,f16}_hd{32,64,128,256}; grid (heads, items): tiles of up to 64 query rows of one sequence
struct PrefillItem { int token, rows, position, table; };  // token: first row of qkv; position: of that row; keys are read from the cache, [0, position + rows)
struct PrefillParams {
  const void* qkv;
  const void* k_cache;
  const void* v_cache;
  const int* tables;
  const PrefillItem* items;
  void* out;
  int qkv_stride, out_stride, heads, kv_heads, head_dim, block_shift, window;
  float scale_log2;
};

// ---- rows.cu: select_rows; grid (rows). copy_blocks; grid (copies, planes): 2 planes a layer
struct SelectParams {
  const void* in;         // rows of in_stride bytes
  void* out;              // (rows) of out_stride bytes
  const int* tokens;      // (rows)
  int bytes, in_stride, out_stride;  // multiples of 16
};
struct CopyParams {
  void* cache;            // plane p, block b at p * plane_bytes + b * block_bytes
  const int* pairs;       // (copies, 2) source, destination
  u64 plane_bytes, block_bytes;
};

// ---- sampling.cu: sample; grid (rows)
constexpr int SAMPLE_SKIP = 1;      // padding, or the host samples this row: leave its logits alone
constexpr int SAMPLE_PENDING = 2;   // the input token of this row was fed back and is not in the counts yet
constexpr int SAMPLE_LOGPROB = 4;   // report log-probability and rank in the raw distribution
constexpr int SAMPLE_SCORE = 8;     // report `target`'s log-probability and rank, choose nothing
struct SampleRow {
  u64 seed;
  int position;           // with the seed keys the random numbers: Philox4x32-10 of (seed, position, 1 + token / 4), word token % 4
  int token;              // index of the input token whose logits these are
  int flags, target, top_k;                 // top_k 0: all
  float temperature, top_p, min_p;          // temperature < 1e-5: greedy, ties to the lowest id
  float repetition, frequency, presence;
  int edits, biases, bans, counts;          // edits[edits, biases) are (token, bits of a float bias), [biases, bans) banned (token, -), [bans, counts) (token, times generated)
  int mask;                                 // first word of its row in masks, or -1; bit 1 = allowed
};
struct SampleOut { int token; float logprob; int rank; int failed; };
struct SampleEdit { int token, value; float raw; };  // raw: scratch of the kernel
struct SampleParams {
  float* logits;          // (rows, logits_stride) may be overwritten
  const SampleRow* rows;
  SampleEdit* edits;
  const u32* masks;
  const int* resolved;    // (tokens) ids that the step computed
  SampleOut* results;     // (rows)
  int* feed;              // (rows) out: the chosen tokens, for the next step
  int vocabulary, logits_stride;
};
