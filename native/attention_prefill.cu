// Attention of many query rows over the paged cache: flash attention (Dao 2023) on mma.sync. A block takes one head of up to 64 rows of one
// sequence and walks the keys those rows may see, tile by tile, the next one on its way by cp.async while this one is multiplied.
// Causal with any prefix: keys and values of the rows themselves are in the cache already.
#include "params.cuh"

constexpr int PREFILL_THREADS = 128;
constexpr int PREFILL_ROWS = 64;          // 16 a warp
constexpr float NO_KEY = -1e30f;          // finite, so that a tile without a visible key makes no NaN; the first visible one wipes its traces

template <class T, int HD, int KEYS> struct Prefill {
  static constexpr int CHUNKS = HD / 8;                    // of 16 bytes a row
  static constexpr u32 TILE = KEYS * HD * 2;               // bytes of a tile of keys, or of values
  static constexpr u32 STAGE = 2 * TILE;
  static_assert(PREFILL_ROWS * HD * 2 <= STAGE, "the queries start out in a stage");

  // Chunk c of row r, moved so that 8 neighbouring rows at one c lie in 8 different bank groups.
  DEV u32 swizzle(int r, int c) { return (u32)(r * CHUNKS + (c ^ (CHUNKS >= 8 ? r & 7 : (r >> 1) & 3))) * 16u; }

  DEV void load_queries(const PrefillParams& p, const PrefillItem& item, shared_address to) {
    UNROLL for (int i = 0; i < PREFILL_ROWS * CHUNKS / PREFILL_THREADS; i++) {
      const int c = threadIdx.x + i * PREFILL_THREADS, r = c / CHUNKS, chunk = c % CHUNKS;
      const bool valid = r < item.rows && chunk * 8 < p.head_dim;
      const T* row = (const T*)p.qkv + (u64)(item.token + (valid ? r : 0)) * p.qkv_stride + (u64)blockIdx.x * p.head_dim;
      copy_async16(to + swizzle(r, chunk), row + (valid ? chunk * 8 : 0), valid);
    }
  }

  DEV void load_keys(const PrefillParams& p, const PrefillItem& item, int kv_head, int first, int end, shared_address to) {
    UNROLL for (int i = 0; i < KEYS * CHUNKS / PREFILL_THREADS; i++) {
      const int c = threadIdx.x + i * PREFILL_THREADS, r = c / CHUNKS, chunk = c % CHUNKS;
      const bool valid = first + r < end && chunk * 8 < p.head_dim;
      const int position = valid ? first + r : 0;
      const u64 block = p.tables[item.table + (position >> p.block_shift)];
      const u64 slot = ((block * p.kv_heads + kv_head) << p.block_shift) + (position & ((1 << p.block_shift) - 1));
      const u64 offset = slot * p.head_dim + (valid ? chunk * 8 : 0);
      copy_async16(to + swizzle(r, chunk), (const T*)p.k_cache + offset, valid);
      copy_async16(to + TILE + swizzle(r, chunk), (const T*)p.v_cache + offset, valid);
    }
  }

  DEV void score(float (&s)[KEYS / 8][4], const u32 (&q)[HD / 16][4], shared_address keys) {
    const int lane = lane_id();
    UNROLL for (int n = 0; n < KEYS / 8; n++) s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.f;
    UNROLL for (int kk = 0; kk < HD / 16; kk++)
      UNROLL for (int n = 0; n < KEYS / 16; n++) {  // 16 keys: (n low, k low) (n low, k high) (n high, k low) (n high, k high)
        u32 k[4];
        load_matrix_x4(k, keys + swizzle(n * 16 + (lane & 7) + ((lane >> 4) << 3), kk * 2 + ((lane >> 3) & 1)));
        Half<T>::mma(s[n * 2], q[kk], k[0], k[1]);
        Half<T>::mma(s[n * 2 + 1], q[kk], k[2], k[3]);
      }
  }

  // Masks, and turns scores into weights. A thread holds rows lane / 4 and lane / 4 + 8 of its warp's 16, and of every 8 keys two.
  DEV void soften(const PrefillParams& p, float (&s)[KEYS / 8][4], float (&out)[HD / 8][4], float (&top)[2], float (&sum)[2], int row_position, int first, int end) {
    UNROLL for (int h = 0; h < 2; h++) {
      const int position = row_position + h * 8, oldest = p.window > 0 ? position - p.window + 1 : 0;
      float highest = top[h];
      UNROLL for (int n = 0; n < KEYS / 8; n++)
        UNROLL for (int e = 0; e < 2; e++) {
          const int key = first + n * 8 + (lane_id() & 3) * 2 + e;
          const float x = key <= position && key < end && key >= oldest ? s[n][h * 2 + e] * p.scale_log2 : NO_KEY;
          s[n][h * 2 + e] = x;
          highest = max_f32(highest, x);
        }
      highest = max_f32(highest, shfl_xor(highest, 1));
      highest = max_f32(highest, shfl_xor(highest, 2));
      const float shrink = exp2_approx(top[h] - highest);
      top[h] = highest;
      float added = 0.f;
      UNROLL for (int n = 0; n < KEYS / 8; n++)
        UNROLL for (int e = 0; e < 2; e++) {
          s[n][h * 2 + e] = exp2_approx(s[n][h * 2 + e] - highest);
          added += s[n][h * 2 + e];
        }
      sum[h] = sum[h] * shrink + added;
      UNROLL for (int i = 0; i < HD / 8; i++) { out[i][h * 2] *= shrink; out[i][h * 2 + 1] *= shrink; }
    }
  }

  DEV void weigh(float (&out)[HD / 8][4], const float (&s)[KEYS / 8][4], shared_address values) {
    const int lane = lane_id();
    UNROLL for (int kk = 0; kk < KEYS / 16; kk++) {
      const u32 weights[4] = {Half<T>::pack(s[kk * 2][0], s[kk * 2][1]), Half<T>::pack(s[kk * 2][2], s[kk * 2][3]),
                              Half<T>::pack(s[kk * 2 + 1][0], s[kk * 2 + 1][1]), Half<T>::pack(s[kk * 2 + 1][2], s[kk * 2 + 1][3])};
      UNROLL for (int n = 0; n < HD / 16; n++) {
        u32 v[4];
        load_matrix_x4_trans(v, values + swizzle(kk * 16 + (lane & 15), n * 2 + (lane >> 4)));
        Half<T>::mma(out[n * 2], weights, v[0], v[1]);
        Half<T>::mma(out[n * 2 + 1], weights, v[2], v[3]);
      }
    }
  }

  DEV void run(const PrefillParams& p) {
    DYNAMIC_SHARED(shared);
    const shared_address base = to_shared(shared);
    const int lane = lane_id(), warp = warp_id(), kv_head = blockIdx.x / (p.heads / p.kv_heads);
    grid_wait();
    const PrefillItem item = p.items[blockIdx.y];
    const int end = item.position + item.rows;
    const int oldest = p.window > 0 && item.position >= p.window ? item.position - p.window + 1 : 0;  // for the first row
    const int begin = oldest / KEYS * KEYS;

    load_queries(p, item, base + STAGE);
    copy_async_commit();
    load_keys(p, item, kv_head, begin, end, base);
    copy_async_commit();
    copy_async_wait<1>();
    bar_sync();
    u32 q[HD / 16][4];
    UNROLL for (int kk = 0; kk < HD / 16; kk++) load_matrix_x4(q[kk], base + STAGE + swizzle(warp * 16 + (lane & 15), kk * 2 + (lane >> 4)));
    bar_sync();  // the queries are in registers: stage 1 is free

    float out[HD / 8][4], top[2] = {NO_KEY, NO_KEY}, sum[2] = {0.f, 0.f};
    UNROLL for (int i = 0; i < HD / 8; i++) out[i][0] = out[i][1] = out[i][2] = out[i][3] = 0.f;
    const int row_position = item.position + warp * 16 + (lane >> 2);
    int stage = 0;
    for (int first = begin; first < end; first += KEYS) {
      if (first + KEYS < end) load_keys(p, item, kv_head, first + KEYS, end, base + (stage ^ 1) * STAGE);
      copy_async_commit();
      copy_async_wait<1>();
      bar_sync();
      const shared_address keys = base + stage * STAGE;
      float s[KEYS / 8][4];
      score(s, q, keys);
      soften(p, s, out, top, sum, row_position, first, end);
      weigh(out, s, keys + TILE);
      bar_sync();  // all warps are done with this stage before it is refilled
      stage ^= 1;
    }
    grid_launch_next();

    UNROLL for (int h = 0; h < 2; h++) {
      float total = sum[h];
      total += shfl_xor(total, 1);
      total += shfl_xor(total, 2);
      const float scale = 1.f / total;
      const int row = warp * 16 + (lane >> 2) + h * 8;
      if (row < item.rows)
        UNROLL for (int i = 0; i < HD / 8; i++) {
          const int column = i * 8 + (lane & 3) * 2;
          if (column < p.head_dim)
            *(u32*)((T*)p.out + (u64)(item.token + row) * p.out_stride + (u64)blockIdx.x * p.head_dim + column) = Half<T>::pack(out[i][h * 2] * scale, out[i][h * 2 + 1] * scale);
        }
    }
  }
};

#define PREFILL(HD, KEYS) \
  KERNEL(PREFILL_THREADS) attention_prefill_bf16_hd##HD(const PrefillParams p) { Prefill<bf16, HD, KEYS>::run(p); } \
  KERNEL(PREFILL_THREADS) attention_prefill_f16_hd##HD(const PrefillParams p) { Prefill<f16, HD, KEYS>::run(p); }
PREFILL(32, 64)
PREFILL(64, 64)
PREFILL(128, 64)
PREFILL(256, 32)
