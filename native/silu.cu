// silu(gate) * up after a GEMM that computed both. Blocks of columns by rows.
#include "params.cuh"

constexpr int SILU_THREADS = 128;

template <class T> DEV void silu_mul(const SiluParams& p) {
  grid_wait();
  const int column = (blockIdx.x * SILU_THREADS + threadIdx.x) * 8;
  const u64 row = blockIdx.y;
  grid_launch_next();
  if (column >= p.y_stride) return;
  const T* gate = (const T*)p.gate_up + row * p.x_stride + column;
  const T* up = gate + p.intermediate;  // 2-byte aligned only: the intermediate size need not be a multiple of 8
  float values[8];
  UNROLL for (int j = 0; j < 8; j++) {
    float value = 0.f;
    if (column + j < p.intermediate) {
      const float g = Half<T>::widen(gate[j]);
      value = g * rcp_approx(1.f + exp2_approx(-1.44269504f * g)) * Half<T>::widen(up[j]);
    }
    values[j] = value;
  }
  store16((T*)p.y + row * p.y_stride + column, pack8<T>(values));
}

KERNEL(SILU_THREADS) silu_mul_bf16(const SiluParams p) { silu_mul<bf16>(p); }
KERNEL(SILU_THREADS) silu_mul_f16(const SiluParams p) { silu_mul<f16>(p); }
