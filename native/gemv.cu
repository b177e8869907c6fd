// y = x * w^T for 1 to 8 rows of x: the time is that of reading the weights once. A warp takes a few output columns (rows of w), so that each
// row of x that it reads serves several; weights pass by L1 with several 16-byte loads in flight a lane. f32 accumulation.
#include "params.cuh"

constexpr int GEMV_THREADS = 128;
constexpr int GEMV_WARPS = GEMV_THREADS / 32;
constexpr int GEMV_DEPTH = 2;   // loads in flight a lane and row of w: with R = 2 or 4 rows that is 4 or 8
constexpr int GEMV_STRIDE = 32 * 8;

// Sums x[m] * rows[r] over k, complete in every lane. k is rounded up to 8: padding is zero on both sides.
template <class T, int M, int R> struct Dot {
  u32x4 w[GEMV_DEPTH][R];
  float sums[R][M];

  __device__ __forceinline__ void fetch(const T* const (&rows)[R], int k, int at) {
    UNROLL for (int d = 0; d < GEMV_DEPTH; d++)
      UNROLL for (int r = 0; r < R; r++) {
        const int i = at + d * GEMV_STRIDE;
        w[d][r] = load_stream_if(rows[r] + i, i < k);
      }
  }

  __device__ __forceinline__ void run(const T* x, int m, int x_stride, const T* const (&rows)[R], int k) {
    int at = lane_id() * 8;
    fetch(rows, k, at);  // weights do not depend on the kernel before
    UNROLL for (int r = 0; r < R; r++)
      UNROLL for (int i = 0; i < M; i++) sums[r][i] = 0.f;
    grid_wait();
    while (at < k) {
      u32x4 now[GEMV_DEPTH][R];
      UNROLL for (int d = 0; d < GEMV_DEPTH; d++)
        UNROLL for (int r = 0; r < R; r++) now[d][r] = w[d][r];
      const int next = at + GEMV_DEPTH * GEMV_STRIDE;
      fetch(rows, k, next);
      UNROLL for (int d = 0; d < GEMV_DEPTH; d++)
        if (at + d * GEMV_STRIDE < k) {
          float wide[R][8];
          UNROLL for (int r = 0; r < R; r++) unpack8<T>(now[d][r], wide[r]);
          UNROLL for (int i = 0; i < M; i++) {  // without a branch: rows from m on repeat the last one and are not stored
            float a[8];
            unpack8<T>(load16(x + (u64)(i < m ? i : m - 1) * x_stride + at + d * GEMV_STRIDE), a);
            UNROLL for (int r = 0; r < R; r++)
              UNROLL for (int j = 0; j < 8; j++) sums[r][i] = fma_f32(a[j], wide[r][j], sums[r][i]);
          }
        }
      at = next;
    }
    UNROLL for (int r = 0; r < R; r++)
      UNROLL for (int i = 0; i < M; i++) sums[r][i] = warp_sum(sums[r][i]);
  }
};

template <class T, int M> DEV void gemv(const LinearParams& p) {
  constexpr int R = M <= 2 ? 2 : 4;
  const int column = (blockIdx.x * GEMV_WARPS + warp_id()) * R, k = (p.k + 7) & ~7;
  const T* rows[R];
  UNROLL for (int r = 0; r < R; r++) rows[r] = (const T*)p.w + (u64)(column + r < p.n ? column + r : p.n - 1) * p.w_stride;
  Dot<T, M, R> dot;
  dot.run((const T*)p.x, p.m, p.x_stride, rows, k);
  grid_launch_next();
  float mine = 0.f;  // lane r * M + i stores output column r of row i
  UNROLL for (int r = 0; r < R; r++)
    UNROLL for (int i = 0; i < M; i++)
      if (lane_id() == r * M + i) mine = dot.sums[r][i];
  const int n = column + lane_id() / M, i = lane_id() % M;
  if (lane_id() >= R * M || i >= p.m || n >= ((p.n + 7) & ~7)) return;
  mine = n < p.n ? mine + (p.bias ? p.bias[n] : 0.f) : 0.f;
  const u64 at = (u64)i * p.y_stride + n;
  if (p.y_f32) ((float*)p.y)[at] = mine;
  else ((T*)p.y)[at] = Half<T>::narrow(mine);
}

template <class T, int M> DEV void gemv_gateup(const GateUpParams& p) {
  constexpr int PAIRS = M <= 2 ? 1 : 2, R = 2 * PAIRS;  // row 2c is a gate, 2c + 1 its up
  const int column = (blockIdx.x * GEMV_WARPS + warp_id()) * PAIRS, k = (p.k + 7) & ~7;
  const T* rows[R];
  UNROLL for (int c = 0; c < PAIRS; c++) {
    const u64 row = column + c < p.intermediate ? column + c : p.intermediate - 1;
    rows[2 * c] = (const T*)p.w + row * p.w_stride;
    rows[2 * c + 1] = (const T*)p.w + (row + p.intermediate) * p.w_stride;
  }
  Dot<T, M, R> dot;
  dot.run((const T*)p.x, p.m, p.x_stride, rows, k);
  grid_launch_next();
  float gate = 0.f, up = 0.f;
  UNROLL for (int c = 0; c < PAIRS; c++)
    UNROLL for (int i = 0; i < M; i++)
      if (lane_id() == c * M + i) { gate = dot.sums[2 * c][i]; up = dot.sums[2 * c + 1][i]; }
  const int n = column + lane_id() / M, i = lane_id() % M;
  if (lane_id() >= PAIRS * M || i >= p.m || n >= ((p.intermediate + 7) & ~7)) return;
  const float value = n < p.intermediate ? gate * rcp_approx(1.f + exp2_approx(-1.44269504f * gate)) * up : 0.f;
  ((T*)p.y)[(u64)i * p.y_stride + n] = Half<T>::narrow(value);
}

#define GEMV(M) \
  KERNEL(GEMV_THREADS) gemv_bf16_m##M(const LinearParams p) { gemv<bf16, M>(p); } \
  KERNEL(GEMV_THREADS) gemv_f16_m##M(const LinearParams p) { gemv<f16, M>(p); } \
  KERNEL(GEMV_THREADS) gemv_gateup_bf16_m##M(const GateUpParams p) { gemv_gateup<bf16, M>(p); } \
  KERNEL(GEMV_THREADS) gemv_gateup_f16_m##M(const GateUpParams p) { gemv_gateup<f16, M>(p); }
GEMV(1)
GEMV(2)
GEMV(4)
GEMV(8)
