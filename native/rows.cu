// Moving whole rows and blocks: the rows whose logits are wanted, and KV blocks of forks that are about to write (copy-on-write).
#include "params.cuh"

constexpr int ROWS_THREADS = 128;

KERNEL(ROWS_THREADS) select_rows(const SelectParams p) {
  grid_wait();
  const u8* in = (const u8*)p.in + (u64)p.tokens[blockIdx.x] * p.in_stride;
  u8* out = (u8*)p.out + (u64)blockIdx.x * p.out_stride;
  for (int i = threadIdx.x * 16; i < p.bytes; i += ROWS_THREADS * 16) store16(out + i, load16(in + i));
  grid_launch_next();
}

KERNEL(ROWS_THREADS) copy_blocks(const CopyParams p) {
  grid_wait();
  u8* plane = (u8*)p.cache + blockIdx.y * p.plane_bytes;
  const u8* from = plane + (u64)p.pairs[blockIdx.x * 2] * p.block_bytes;
  u8* to = plane + (u64)p.pairs[blockIdx.x * 2 + 1] * p.block_bytes;
  for (u64 i = threadIdx.x * 16; i < p.block_bytes; i += ROWS_THREADS * 16) store16(to + i, load16(from + i));
  grid_launch_next();
}
