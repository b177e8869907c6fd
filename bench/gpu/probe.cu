// Kernels that measure the machine and not the engine; only bench/gpu has them. cuport.cuh makes them compile by clang and nvcc alike.
#include "cuport.cuh"

struct StreamParams {
  const void* in;   // 16-byte aligned
  void* out;        // copy: as long as in. read: one word a thread, written only if the sum is a value that does not occur
  u64 vectors;      // of 16 bytes
};

// Reads everything once, four loads in flight a thread. grid: any
KERNEL(512, 2) probe_read(const StreamParams p) {
  const u32x4* in = (const u32x4*)p.in;
  const u64 step = (u64)gridDim.x * blockDim.x;
  u32 sum = 0;
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  for (; i + 3 * step < p.vectors; i += 4 * step) {
    u32x4 a = load_stream(in + i), b = load_stream(in + i + step), c = load_stream(in + i + 2 * step), d = load_stream(in + i + 3 * step);
    sum += (a.x ^ a.y ^ a.z ^ a.w) + (b.x ^ b.y ^ b.z ^ b.w) + (c.x ^ c.y ^ c.z ^ c.w) + (d.x ^ d.y ^ d.z ^ d.w);
  }
  for (; i < p.vectors; i += step) {
    u32x4 a = load_stream(in + i);
    sum += a.x ^ a.y ^ a.z ^ a.w;
  }
  if (sum == 0x9e3779b9u) ((u32*)p.out)[threadIdx.x] = sum;  // keeps the loads from being dropped
}

KERNEL(512, 2) probe_copy(const StreamParams p) {
  const u32x4* in = (const u32x4*)p.in;
  u32x4* out = (u32x4*)p.out;
  const u64 step = (u64)gridDim.x * blockDim.x;
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  for (; i + 3 * step < p.vectors; i += 4 * step) {
    u32x4 a = load_stream(in + i), b = load_stream(in + i + step), c = load_stream(in + i + 2 * step), d = load_stream(in + i + 3 * step);
    store16(out + i, a);
    store16(out + i + step, b);
    store16(out + i + 2 * step, c);
    store16(out + i + 3 * step, d);
  }
  for (; i < p.vectors; i += step) store16(out + i, load_stream(in + i));
}

struct EmptyParams {
  u32 unused;
};

// What a kernel boundary costs: it waits for its predecessor and lets its successor start, as every kernel of the engine does.
KERNEL(128) probe_empty(const EmptyParams p) {
  grid_wait();
  grid_launch_next();
}
