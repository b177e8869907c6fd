// y = x * w^T for any number of rows, on tensor cores: mma.sync m16n8k16 with f32 accumulation, tiles through shared memory by cp.async in
// several stages. A tile's row is 64 elements = 8 chunks of 16 bytes; chunk c of row r lies at c ^ (r & 7), so that neither the copies nor
// ldmatrix meet a bank twice. Split-K for few rows: pieces are added in order by the block that finishes last, so results do not vary.
#include "params.cuh"

constexpr int GEMM_K = 64;             // elements of k a stage
constexpr int GEMM_ROW = GEMM_K * 2;   // bytes
constexpr int GEMM_CHUNKS = GEMM_ROW / 16;

DEV u32 gemm_swizzle(int row, int chunk) { return row * GEMM_ROW + ((chunk ^ (row & 7)) << 4); }

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int STAGES> struct Gemm {
  static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
  static constexpr int WM = BM / WARPS_M, WN = BN / WARPS_N;          // a warp's part of the tile
  static constexpr int FM = WM / 16, FN = WN / 8;                     // its fragments
  static constexpr u32 X_BYTES = BM * GEMM_ROW, STAGE_BYTES = (BM + BN) * GEMM_ROW;
  static_assert(WN % 16 == 0 && (BM * GEMM_CHUNKS) % THREADS == 0 && (BN * GEMM_CHUNKS) % THREADS == 0, "whole loads");

  template <int ROWS> DEV void copy(shared_address to, const T* from, int stride, int row0, int rows, int k0, int k) {
    UNROLL for (int i = 0; i < ROWS * GEMM_CHUNKS / THREADS; i++) {
      const int c = threadIdx.x + i * THREADS, r = c / GEMM_CHUNKS, chunk = c % GEMM_CHUNKS, at = k0 + chunk * 8;
      const bool valid = row0 + r < rows && at < k;
      copy_async16(to + gemm_swizzle(r, chunk), valid ? from + (u64)(row0 + r) * stride + at : from, valid);
    }
  }

  DEV void multiply(float (&sums)[FM][FN][4], shared_address x, shared_address w, int warp_m, int warp_n) {
    const int lane = lane_id();
    UNROLL for (int kk = 0; kk < GEMM_K / 16; kk++) {
      u32 a[FM][4];
      UNROLL for (int f = 0; f < FM; f++) load_matrix_x4(a[f], x + gemm_swizzle(warp_m * WM + f * 16 + (lane & 15), kk * 2 + (lane >> 4)));
      UNROLL for (int f = 0; f < FN; f += 2) {  // 16 columns: (n low, k low) (n low, k high) (n high, k low) (n high, k high)
        u32 b[4];
        load_matrix_x4(b, w + gemm_swizzle(warp_n * WN + f * 8 + (lane & 7) + ((lane >> 4) << 3), kk * 2 + ((lane >> 3) & 1)));
        UNROLL for (int g = 0; g < FM; g++) {
          Half<T>::mma(sums[g][f], a[g], b[0], b[1]);
          Half<T>::mma(sums[g][f + 1], a[g], b[2], b[3]);
        }
      }
    }
  }

  // Calls visit(row, column, pair of sums) for each pair of neighbouring outputs that this thread holds and that exists.
  template <class Visit> DEV void each(const LinearParams& p, float (&sums)[FM][FN][4], int row0, int column0, Visit visit) {
    const int n8 = (p.n + 7) & ~7;
    UNROLL for (int f = 0; f < FM; f++)
      UNROLL for (int g = 0; g < FN; g++)
        UNROLL for (int h = 0; h < 2; h++) {
          const int row = row0 + f * 16 + (lane_id() >> 2) + h * 8, column = column0 + g * 8 + (lane_id() & 3) * 2;
          if (row < p.m && column < n8) visit(row, column, sums[f][g][h * 2], sums[f][g][h * 2 + 1]);
        }
  }

  DEV void store(const LinearParams& p, int row, int column, float a, float b) {
    if (p.bias) {
      if (column < p.n) a += p.bias[column];
      if (column + 1 < p.n) b += p.bias[column + 1];
    }
    const u64 at = (u64)row * p.y_stride + column;
    if (p.y_f32) {
      float* y = (float*)p.y + at;
      y[0] = a;
      y[1] = b;
    } else {
      *(u32*)((T*)p.y + at) = Half<T>::pack(a, b);
    }
  }

  // Leaves this piece's sums for whoever finishes last; true in the block that did, with all pieces added up.
  DEV bool combine(const LinearParams& p, float (&sums)[FM][FN][4], int row0, int column0) {
    __shared__ int last;
    const u64 n8 = (p.n + 7) & ~7, piece = p.m * n8;
    float* mine = p.partial + blockIdx.z * piece;
    each(p, sums, row0, column0, [&](int row, int column, float a, float b) {
      mine[row * n8 + column] = a;
      mine[row * n8 + column + 1] = b;
    });
    thread_fence();
    bar_sync();
    int* counter = p.counters + blockIdx.y * gridDim.x + blockIdx.x;
    if (threadIdx.x == 0) {
      last = atomic_add(counter, 1) == p.splits - 1;
      if (last) *counter = 0;  // ready for the next launch
    }
    bar_sync();
    if (!last) return false;
    thread_fence();
    each(p, sums, row0, column0, [&](int row, int column, float& a, float& b) {
      a = b = 0.f;
      for (int s = 0; s < p.splits; s++) {
        a += load_l2(p.partial + s * piece + row * n8 + column);
        b += load_l2(p.partial + s * piece + row * n8 + column + 1);
      }
    });
    return true;
  }

  DEV void run(const LinearParams& p) {
    DYNAMIC_SHARED(shared);
    const shared_address base = to_shared(shared);
    const int warp_m = warp_id() / WARPS_N, warp_n = warp_id() % WARPS_N;
    const int row0 = blockIdx.x * BM, column0 = blockIdx.y * BN, k = (p.k + 7) & ~7;
    const int steps = (k + GEMM_K - 1) / GEMM_K, begin = steps * (int)blockIdx.z / p.splits, end = steps * ((int)blockIdx.z + 1) / p.splits;
    auto copy_w = [&](int step, int stage) { copy<BN>(base + stage * STAGE_BYTES + X_BYTES, (const T*)p.w, p.w_stride, column0, p.n, step * GEMM_K, k); };
    auto copy_x = [&](int step, int stage) { copy<BM>(base + stage * STAGE_BYTES, (const T*)p.x, p.x_stride, row0, p.m, step * GEMM_K, k); };

    UNROLL for (int s = 0; s < STAGES - 1; s++)
      if (begin + s < end) copy_w(begin + s, s);  // weights do not depend on the kernel before
    grid_wait();
    UNROLL for (int s = 0; s < STAGES - 1; s++) {
      if (begin + s < end) copy_x(begin + s, s);
      copy_async_commit();
    }
    float sums[FM][FN][4];
    UNROLL for (int f = 0; f < FM; f++)
      UNROLL for (int g = 0; g < FN; g++) sums[f][g][0] = sums[f][g][1] = sums[f][g][2] = sums[f][g][3] = 0.f;

    int stage = 0;
    for (int step = begin; step < end; step++) {
      copy_async_wait<STAGES - 2>();
      bar_sync();  // this stage has arrived for all, and all are done with the one before, which is refilled now
      const int ahead = step + STAGES - 1, target = stage == 0 ? STAGES - 1 : stage - 1;
      if (ahead < end) {
        copy_w(ahead, target);
        copy_x(ahead, target);
      }
      copy_async_commit();
      multiply(sums, base + stage * STAGE_BYTES, base + stage * STAGE_BYTES + X_BYTES, warp_m, warp_n);
      stage = stage + 1 == STAGES ? 0 : stage + 1;
    }
    grid_launch_next();

    const int row1 = row0 + warp_m * WM, column1 = column0 + warp_n * WN;
    if (p.splits > 1 && !combine(p, sums, row1, column1)) return;
    each(p, sums, row1, column1, [&](int row, int column, float a, float b) { store(p, row, column, a, b); });
  }
};

#define GEMM(BM, BN, WARPS_M, WARPS_N, STAGES) \
  KERNEL(32 * WARPS_M * WARPS_N) gemm_bf16_##BM##x##BN(const LinearParams p) { Gemm<bf16, BM, BN, WARPS_M, WARPS_N, STAGES>::run(p); } \
  KERNEL(32 * WARPS_M * WARPS_N) gemm_f16_##BM##x##BN(const LinearParams p) { Gemm<f16, BM, BN, WARPS_M, WARPS_N, STAGES>::run(p); }
GEMM(16, 64, 1, 4, 5)
GEMM(32, 64, 2, 2, 5)
GEMM(64, 128, 2, 2, 4)
GEMM(128, 128, 2, 4, 3)
