// Attention of single query rows over the paged cache: split-KV (flash decoding; Dao et al. 2023), grouped-query, online softmax in base 2.
// A block takes one piece of one row's keys for up to G query heads of one KV head. 16-byte loads; the lanes of a warp that hold one key are
// neighbours, so a request covers whole rows of the cache. What a sequence is cut into is data: blocks walk the work items.
#include "params.cuh"

constexpr int DECODE_THREADS = 128;
constexpr int DECODE_WARPS = DECODE_THREADS / 32;
constexpr float NO_KEY = -1e30f;  // a score below every other; exp2 of the difference is 0

template <class T, int HD, int G> struct Decode {
  static constexpr int LANES = HD / 8;              // lanes that hold one key
  static constexpr int KEYS = 32 / LANES;           // keys a warp reads at once
  static constexpr int DEPTH = G >= 8 ? 2 : 4;      // such reads in flight; more would not fit the registers of 8 heads
  static constexpr int GROUPS = DECODE_WARPS * KEYS;

  struct State { float q[G][8], out[G][8], top[G], sum[G]; };

  DEV void load_query(const DecodeParams& p, State& s, int token, int head0, int heads, int at) {
    UNROLL for (int g = 0; g < G; g++) {
      float q[8];
      UNROLL for (int j = 0; j < 8; j++) q[j] = 0.f;
      if (g < heads && at < p.head_dim) unpack8<T>(load16((const T*)p.qkv + (u64)token * p.qkv_stride + (u64)(head0 + g) * p.head_dim + at), q);
      s.top[g] = NO_KEY;
      s.sum[g] = 0.f;
      UNROLL for (int j = 0; j < 8; j++) { s.q[g][j] = q[j] * p.scale_log2; s.out[g][j] = 0.f; }
    }
  }

  // Scores DEPTH keys of this lane's group and folds them into the running softmax.
  DEV void fold(State& s, const u32x4 (&k)[DEPTH], const u32x4 (&v)[DEPTH], const bool (&valid)[DEPTH]) {
    float scores[DEPTH][G];
    UNROLL for (int u = 0; u < DEPTH; u++) {
      float wide[8];
      unpack8<T>(k[u], wide);
      UNROLL for (int g = 0; g < G; g++) {
        float dot = 0.f;
        UNROLL for (int j = 0; j < 8; j++) dot = fma_f32(s.q[g][j], wide[j], dot);
        scores[u][g] = dot;
      }
    }
    UNROLL for (int mask = LANES / 2; mask; mask >>= 1)
      UNROLL for (int u = 0; u < DEPTH; u++)
        UNROLL for (int g = 0; g < G; g++) scores[u][g] += shfl_xor(scores[u][g], mask);
    UNROLL for (int g = 0; g < G; g++) {
      float top = s.top[g];
      UNROLL for (int u = 0; u < DEPTH; u++)
        if (valid[u]) top = max_f32(top, scores[u][g]);
      const float shrink = exp2_approx(s.top[g] - top);
      s.top[g] = top;
      s.sum[g] *= shrink;
      UNROLL for (int j = 0; j < 8; j++) s.out[g][j] *= shrink;
      UNROLL for (int u = 0; u < DEPTH; u++) {
        scores[u][g] = valid[u] ? exp2_approx(scores[u][g] - top) : 0.f;
        s.sum[g] += scores[u][g];
      }
    }
    UNROLL for (int u = 0; u < DEPTH; u++) {
      float wide[8];
      unpack8<T>(v[u], wide);
      UNROLL for (int g = 0; g < G; g++)
        UNROLL for (int j = 0; j < 8; j++) s.out[g][j] = fma_f32(scores[u][g], wide[j], s.out[g][j]);
    }
  }

  DEV void walk(const DecodeParams& p, State& s, const DecodeItem& item, int begin, int kv_head, int key, int at) {
    const int* table = p.tables + item.table;
    const int block_mask = (1 << p.block_shift) - 1;
    const bool lane_used = at < p.head_dim;
    // The warps of a block interleave, so that one trip of the block reads a contiguous stretch of keys.
    for (int base = begin; base < item.end; base += GROUPS * DEPTH) {
      u32x4 k[DEPTH], v[DEPTH];
      bool valid[DEPTH];
      UNROLL for (int u = 0; u < DEPTH; u++) {
        const int position = base + ((int)warp_id() * DEPTH + u) * KEYS + key;
        valid[u] = position < item.end;
        const int safe = valid[u] ? position : begin;
        const u64 block = table[safe >> p.block_shift];
        const u64 offset = (((block * p.kv_heads + kv_head) << p.block_shift) + (safe & block_mask)) * p.head_dim + (lane_used ? at : 0);
        k[u] = load_stream((const T*)p.k_cache + offset);
        v[u] = load_stream((const T*)p.v_cache + offset);
      }
      fold(s, k, v, valid);
    }
  }

  struct Shared {
    float top[GROUPS][G], sum[GROUPS][G];
    float out[DECODE_WARPS][G][HD];
    int last;
  };

  // Brings the block's softmax states to one scale and adds them up: afterwards shared.out[0] over shared.sum[0] is the piece's result.
  DEV void merge(Shared& shared, State& s, int key, int at) {
    const int warp = warp_id();
    if (at == 0)
      UNROLL for (int g = 0; g < G; g++) {
        shared.top[warp * KEYS + key][g] = s.top[g];
        shared.sum[warp * KEYS + key][g] = s.sum[g];
      }
    bar_sync();
    UNROLL for (int g = 0; g < G; g++) {
      float top = NO_KEY;
      for (int i = 0; i < GROUPS; i++) top = max_f32(top, shared.top[i][g]);
      const float shrink = exp2_approx(s.top[g] - top);
      UNROLL for (int j = 0; j < 8; j++) {
        float value = s.out[g][j] * shrink;
        UNROLL for (int mask = LANES; mask < 32; mask <<= 1) value += shfl_xor(value, mask);
        if (key == 0) shared.out[warp][g][at + j] = value;
      }
    }
    bar_sync();
  }

  // Writes the piece: as the result if it is the only one, else for the block that arrives last, which combines them in order.
  DEV void finish(const DecodeParams& p, Shared& shared, const DecodeItem& item, int head0, int heads) {
    for (int i = threadIdx.x; i < heads * p.head_dim; i += DECODE_THREADS) {
      const int g = i / p.head_dim, d = i % p.head_dim;
      float top = NO_KEY, sum = 0.f, out = 0.f;
      for (int w = 0; w < GROUPS; w++) top = max_f32(top, shared.top[w][g]);
      for (int w = 0; w < GROUPS; w++) sum += shared.sum[w][g] * exp2_approx(shared.top[w][g] - top);
      UNROLL for (int w = 0; w < DECODE_WARPS; w++) out += shared.out[w][g][d];
      if (item.splits == 1) {
        store(p, item.token, head0 + g, d, out / sum);
      } else {
        const u64 slot = (u64)(item.partial + item.split) * p.heads + head0 + g;
        p.partial_out[slot * p.head_dim + d] = out;
        if (d == 0) {
          p.partial_ml[slot * 2] = top;
          p.partial_ml[slot * 2 + 1] = sum;
        }
      }
    }
    if (item.splits > 1 && arrives_last(p, shared, item)) combine(p, item, head0, heads);
  }

  DEV bool arrives_last(const DecodeParams& p, Shared& shared, const DecodeItem& item) {
    thread_fence();
    bar_sync();
    if (threadIdx.x == 0) {
      int* counter = p.counters + ((u64)item.partial * gridDim.x + blockIdx.x) * gridDim.z + blockIdx.z;
      shared.last = atomic_add(counter, 1) == item.splits - 1;
      if (shared.last) *counter = 0;  // ready for the next launch
    }
    bar_sync();
    thread_fence();
    return shared.last;
  }

  DEV void combine(const DecodeParams& p, const DecodeItem& item, int head0, int heads) {
    for (int i = threadIdx.x; i < heads * p.head_dim; i += DECODE_THREADS) {
      const int head = head0 + i / p.head_dim, d = i % p.head_dim;
      const u64 slot = (u64)item.partial * p.heads + head;
      float top = NO_KEY, sum = 0.f, out = 0.f;
      for (int s = 0; s < item.splits; s++) top = max_f32(top, load_l2(p.partial_ml + (slot + (u64)s * p.heads) * 2));
      for (int s = 0; s < item.splits; s++) {
        const u64 piece = slot + (u64)s * p.heads;
        const float weight = exp2_approx(load_l2(p.partial_ml + piece * 2) - top);
        sum = fma_f32(weight, load_l2(p.partial_ml + piece * 2 + 1), sum);
        out = fma_f32(weight, load_l2(p.partial_out + piece * p.head_dim + d), out);
      }
      store(p, item.token, head, d, out / sum);
    }
  }

  DEV void store(const DecodeParams& p, int token, int head, int d, float value) {
    ((T*)p.out)[(u64)token * p.out_stride + (u64)head * p.head_dim + d] = Half<T>::narrow(value);
  }

  DEV void run(const DecodeParams& p) {
    __shared__ Shared shared;
    grid_wait();
    const int key = lane_id() / LANES, at = (lane_id() % LANES) * 8;
    const int group = p.heads / p.kv_heads, kv_head = blockIdx.x, first = blockIdx.z * G;
    const int head0 = kv_head * group + first, heads = group - first < G ? group - first : G;
    const int count = *p.item_count;
    for (int i = blockIdx.y; i < count; i += gridDim.y) {
      const DecodeItem item = p.items[i];
      const int oldest = p.window > 0 && item.length > p.window ? item.length - p.window : 0;
      State s;
      load_query(p, s, item.token, head0, heads, at);
      walk(p, s, item, item.begin > oldest ? item.begin : oldest, kv_head, key, at);
      merge(shared, s, key, at);
      finish(p, shared, item, head0, heads);
      bar_sync();  // shared memory is free for the next item
    }
    grid_launch_next();
  }
};

#define DECODE(HD, G) \
  KERNEL(DECODE_THREADS) attention_decode_bf16_hd##HD##_g##G(const DecodeParams p) { Decode<bf16, HD, G>::run(p); } \
  KERNEL(DECODE_THREADS) attention_decode_f16_hd##HD##_g##G(const DecodeParams p) { Decode<f16, HD, G>::run(p); }
#define DECODE_GROUPS(HD) DECODE(HD, 1) DECODE(HD, 2) DECODE(HD, 4) DECODE(HD, 8)
DECODE_GROUPS(32)
DECODE_GROUPS(64)
DECODE_GROUPS(128)
DECODE_GROUPS(256)
