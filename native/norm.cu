// Residual addition and RMSNorm (Zhang & Sennrich 2019). A block a row.
#include "params.cuh"

constexpr int NORM_THREADS = 256;

// The row is read twice, from L1 and L2 the second time: any width, and no register array whose size would bound it.
template <class T> DEV void rmsnorm(const NormParams& p) {
  __shared__ float sums[NORM_THREADS / 32];
  grid_wait();
  const u64 row = blockIdx.x;
  float* residual = p.residual + row * p.residual_stride;
  const T* delta = p.delta ? (const T*)p.delta + row * p.delta_stride : nullptr;
  float sum = 0.f;
  for (int i = threadIdx.x; i < p.columns; i += NORM_THREADS) {
    float value = residual[i];
    if (delta) {
      value += Half<T>::widen(delta[i]);
      residual[i] = value;
    }
    sum = fma_f32(value, value, sum);
  }
  sum = warp_sum(sum);
  if (lane_id() == 0) sums[warp_id()] = sum;
  bar_sync();
  sum = warp_sum(lane_id() < NORM_THREADS / 32 ? sums[lane_id()] : 0.f);
  grid_launch_next();
  const float scale = rsqrt_approx(sum / (float)p.columns + p.epsilon);
  T* out = (T*)p.out + row * p.out_stride;
  for (int i = threadIdx.x; i < p.out_stride; i += NORM_THREADS)
    out[i] = Half<T>::narrow(i < p.columns ? residual[i] * scale * p.gain[i] : 0.f);
}

KERNEL(NORM_THREADS) rmsnorm_bf16(const NormParams p) { rmsnorm<bf16>(p); }
KERNEL(NORM_THREADS) rmsnorm_f16(const NormParams p) { rmsnorm<f16>(p); }
