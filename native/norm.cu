// Residual addition and RMSNorm (Zhang & Sennrich 2019). A block a row; a thread takes 8 columns at a time. All loads of the first NORM_HELD
// pieces are in flight together and their values stay in registers; what a wider row has beyond is read again for the result.
#include "params.cuh"

constexpr int NORM_THREADS = 256;
constexpr int NORM_HELD = 4;                    // 8192 columns a row
constexpr int NORM_STEP = NORM_THREADS * 8;     // columns a piece

DEV void unpack_f32(const u32x4& low, const u32x4& high, float (&f)[8]) {
  f[0] = as_float(low.x); f[1] = as_float(low.y); f[2] = as_float(low.z); f[3] = as_float(low.w);
  f[4] = as_float(high.x); f[5] = as_float(high.y); f[6] = as_float(high.z); f[7] = as_float(high.w);
}

// Columns [at, at + 8) of f32 in a row that is padded to a multiple of 8; zero from `columns` on, whatever lies there.
DEV void load_wide(const float* row, int at, int columns, float (&f)[8]) {
  unpack_f32(load16_if(row + at, at < columns), load16_if(row + at + 4, at < columns), f);
  UNROLL for (int j = 0; j < 8; j++) f[j] = at + j < columns ? f[j] : 0.f;
}

DEV void load_gain(const float* gain, int at, int columns, float (&f)[8]) {  // not padded
  const bool whole = at + 8 <= columns;
  unpack_f32(load16_if(gain + at, whole), load16_if(gain + at + 4, whole), f);
  if (!whole) UNROLL for (int j = 0; j < 8; j++) if (at + j < columns) f[j] = gain[at + j];
}

DEV void store_wide(float* p, const float (&f)[8]) {
  u32x4 low, high;
  low.x = as_bits(f[0]); low.y = as_bits(f[1]); low.z = as_bits(f[2]); low.w = as_bits(f[3]);
  high.x = as_bits(f[4]); high.y = as_bits(f[5]); high.z = as_bits(f[6]); high.w = as_bits(f[7]);
  store16(p, low);
  store16(p + 4, high);
}

template <class T> DEV void add_delta(float (&value)[8], const u32x4& delta, int at, int columns) {
  float d[8];
  unpack8<T>(delta, d);
  UNROLL for (int j = 0; j < 8; j++) value[j] += at + j < columns ? d[j] : 0.f;
}

template <class T> DEV void store_normed(T* out, const float (&value)[8], const float (&gain)[8], float scale) {
  float y[8];
  UNROLL for (int j = 0; j < 8; j++) y[j] = value[j] * scale * gain[j];
  store16(out, pack8<T>(y));
}

template <class T> DEV void rmsnorm(const NormParams& p) {
  __shared__ float sums[NORM_THREADS / 32];
  const int first = threadIdx.x * 8;
  float gain[NORM_HELD][8], value[NORM_HELD][8];
  UNROLL for (int i = 0; i < NORM_HELD; i++) load_gain(p.gain, first + i * NORM_STEP, p.columns, gain[i]);  // a weight: before the wait
  grid_wait();
  const u64 row = blockIdx.x;
  float* residual = p.residual + row * p.residual_stride;
  const T* delta = p.delta ? (const T*)p.delta + row * p.delta_stride : nullptr;
  u32x4 added[NORM_HELD];
  UNROLL for (int i = 0; i < NORM_HELD; i++) {
    const int at = first + i * NORM_STEP;
    load_wide(residual, at, p.columns, value[i]);
    added[i] = load16_if(delta + at, delta && at < p.columns);
  }
  float sum = 0.f;
  UNROLL for (int i = 0; i < NORM_HELD; i++) {
    const int at = first + i * NORM_STEP;
    if (delta && at < p.columns) {
      add_delta<T>(value[i], added[i], at, p.columns);
      store_wide(residual + at, value[i]);
    }
    UNROLL for (int j = 0; j < 8; j++) sum = fma_f32(value[i][j], value[i][j], sum);
  }
  for (int at = first + NORM_HELD * NORM_STEP; at < p.columns; at += NORM_STEP) {
    float wide[8];
    load_wide(residual, at, p.columns, wide);
    if (delta) {
      add_delta<T>(wide, load16(delta + at), at, p.columns);
      store_wide(residual + at, wide);
    }
    UNROLL for (int j = 0; j < 8; j++) sum = fma_f32(wide[j], wide[j], sum);
  }
  sum = warp_sum(sum);
  if (lane_id() == 0) sums[warp_id()] = sum;
  bar_sync();
  sum = warp_sum(lane_id() < NORM_THREADS / 32 ? sums[lane_id()] : 0.f);
  grid_launch_next();
  const float scale = rsqrt_approx(sum / (float)p.columns + p.epsilon);
  T* out = (T*)p.out + row * p.out_stride;
  UNROLL for (int i = 0; i < NORM_HELD; i++)
    if (first + i * NORM_STEP < p.out_stride) store_normed(out + first + i * NORM_STEP, value[i], gain[i], scale);
  for (int at = first + NORM_HELD * NORM_STEP; at < p.out_stride; at += NORM_STEP) {
    float wide[8], g[8];
    load_wide(residual, at, p.columns, wide);
    load_gain(p.gain, at, p.columns, g);
    store_normed(out + at, wide, g, scale);
  }
}

KERNEL(NORM_THREADS) rmsnorm_bf16(const NormParams p) { rmsnorm<bf16>(p); }
KERNEL(NORM_THREADS) rmsnorm_f16(const NormParams p) { rmsnorm<f16>(p); }
