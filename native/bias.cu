// y += bias after a library GEMM, whose epilogue would want the bias in another precision. Blocks of columns by rows.
#include "params.cuh"

constexpr int BIAS_THREADS = 256;

template <class T> DEV void add_bias(const BiasParams& p) {
  grid_wait();
  const int column = blockIdx.x * BIAS_THREADS + threadIdx.x;
  if (column < p.n) {
    T* y = (T*)p.y + (u64)blockIdx.y * p.y_stride + column;
    *y = Half<T>::narrow(Half<T>::widen(*y) + p.bias[column]);
  }
  grid_launch_next();
}

KERNEL(BIAS_THREADS) add_bias_bf16(const BiasParams p) { add_bias<bf16>(p); }
KERNEL(BIAS_THREADS) add_bias_f16(const BiasParams p) { add_bias<f16>(p); }
