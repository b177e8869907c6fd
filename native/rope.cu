// Rotary embedding (Su et al. 2021) of q and k in place, with the optional RMSNorm of each head before it (Qwen3), and the store of k and v
// into the paged cache. A warp a head of a token.
#include "params.cuh"

constexpr int ROPE_THREADS = 128;
constexpr int ROPE_HEADS = ROPE_THREADS / 32;  // heads a block

template <class T> DEV void normalise_head(T* head, const float* gain, int head_dim, float epsilon) {
  float sum = 0.f;
  for (int i = lane_id(); i < head_dim; i += 32) {
    const float value = Half<T>::widen(head[i]);
    sum = fma_f32(value, value, sum);
  }
  const float scale = rsqrt_approx(warp_sum(sum) / (float)head_dim + epsilon);
  for (int i = lane_id(); i < head_dim; i += 32) head[i] = Half<T>::narrow(Half<T>::widen(head[i]) * scale * gain[i]);
  warp_sync();  // the rotation pairs elements of different lanes
}

template <class T> DEV void rope_kv(const RopeParams& p) {
  grid_wait();
  const int token = blockIdx.x, index = blockIdx.y * ROPE_HEADS + warp_id();
  if (index >= p.heads + 2 * p.kv_heads) return;
  T* head = (T*)p.qkv + (u64)token * p.qkv_stride + (u64)index * p.head_dim;
  const bool is_value = index >= p.heads + p.kv_heads;
  if (!is_value) {
    const float* gain = index < p.heads ? p.q_gain : p.k_gain;
    if (gain) normalise_head<T>(head, gain, p.head_dim, p.epsilon);
    const int half = p.rotary_dim / 2;
    const u64 row = (u64)p.positions[token] * half;
    for (int i = lane_id(); i < half; i += 32) {
      const float a = Half<T>::widen(head[i]), b = Half<T>::widen(head[i + half]);
      const float cosine = p.cosines[row + i], sine = p.sines[row + i];
      head[i] = Half<T>::narrow(a * cosine - b * sine);
      head[i + half] = Half<T>::narrow(b * cosine + a * sine);
    }
    if (index < p.heads) return;
    warp_sync();  // what follows reads what other lanes rotated
  }
  const int slot = p.slots[token];
  if (slot < 0) return;
  const int kv_head = is_value ? index - p.heads - p.kv_heads : index - p.heads;
  const u64 block = (u32)slot >> p.block_shift, offset = slot & ((1 << p.block_shift) - 1);
  T* cache = (T*)(is_value ? p.v_cache : p.k_cache) + (((block * p.kv_heads + kv_head) << p.block_shift) + offset) * p.head_dim;
  for (int i = lane_id() * 8; i < p.head_dim; i += 32 * 8) store16(cache + i, load16(head + i));
}

KERNEL(ROPE_THREADS) rope_kv_bf16(const RopeParams p) { rope_kv<bf16>(p); grid_launch_next(); }
KERNEL(ROPE_THREADS) rope_kv_f16(const RopeParams p) { rope_kv<f16>(p); grid_launch_next(); }
