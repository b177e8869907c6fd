// Token ids to rows of the residual stream. A block a token. Also fills in ids that the step before chose (device-side feedback).
#include "params.cuh"

constexpr int EMBED_THREADS = 128;

template <class T> DEV void embed(const EmbedParams& p) {
  grid_wait();
  const int token = blockIdx.x;
  int id = p.token_ids[token];
  if (id < 0) id = p.feed[~id];
  if ((u32)id >= (u32)p.vocabulary) id = 0;
  if (threadIdx.x == 0) p.resolved[token] = id;
  grid_launch_next();
  const T* row = (const T*)p.table + (u64)id * p.table_stride;
  float* out = p.out + (u64)token * p.out_stride;
  for (int i = threadIdx.x * 8; i < p.columns; i += EMBED_THREADS * 8) {
    float values[8];
    unpack8<T>(load16(row + i), values);  // the table's padding columns are zero and belong to the row
    UNROLL for (int j = 0; j < 8; j++)
      if (i + j < p.columns) out[i + j] = values[j];
  }
}

KERNEL(EMBED_THREADS) embed_bf16(const EmbedParams p) { embed<bf16>(p); }
KERNEL(EMBED_THREADS) embed_f16(const EmbedParams p) { embed<f16>(p); }
