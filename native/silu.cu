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
  const T* up = gate + p.intermediate;
  float g[8], u[8], values[8];
  if (p.intermediate % 8 == 0) {
    const bool valid = column < p.intermediate;
    unpack8<T>(load16_if(gate, valid), g);
    unpack8<T>(load16_if(up, valid), u);
  } else {  // `up` is aligned to 2 bytes only
    UNROLL for (int j = 0; j < 8; j++) {
      const bool valid = column + j < p.intermediate;
      g[j] = valid ? Half<T>::widen(gate[j]) : 0.f;
      u[j] = valid ? Half<T>::widen(up[j]) : 0.f;
    }
  }
  UNROLL for (int j = 0; j < 8; j++) values[j] = g[j] * rcp_approx(1.f + exp2_approx(-1.44269504f * g[j])) * u[j];
  store16((T*)p.y + row * p.y_stride + column, pack8<T>(values));
}

KERNEL(SILU_THREADS) silu_mul_bf16(const SiluParams p) { silu_mul<bf16>(p); }
KERNEL(SILU_THREADS) silu_mul_f16(const SiluParams p) { silu_mul<f16>(p); }
