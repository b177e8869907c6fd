// Portability: with this header a kernel compiles unchanged under clang (no CUDA toolkit, no CUDA header), nvcc and NVRTC.
// What CUDA's own headers would give is written here as inline PTX, so that all three make the same instructions.
// Nothing may be included beside it: NVRTC has no include path, clang no CUDA.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct alignas(16) u32x4 { u32 x, y, z, w; };
struct alignas(8) u32x2 { u32 x, y; };
struct alignas(16) f32x4 { float x, y, z, w; };
struct alignas(2) bf16 { u16 v; };
struct alignas(2) f16 { u16 v; };

#if defined(__clang__) && defined(__CUDA__)
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define CUPORT_SPECIAL_REGISTER(name, read) \
  struct cuport_##name { \
    __declspec(property(get = get_x)) unsigned x; \
    __declspec(property(get = get_y)) unsigned y; \
    __declspec(property(get = get_z)) unsigned z; \
    static __device__ __forceinline__ unsigned get_x() { return read##x(); } \
    static __device__ __forceinline__ unsigned get_y() { return read##y(); } \
    static __device__ __forceinline__ unsigned get_z() { return read##z(); } \
  }; \
  extern const __device__ __attribute__((weak)) cuport_##name name;
CUPORT_SPECIAL_REGISTER(threadIdx, __nvvm_read_ptx_sreg_tid_)
CUPORT_SPECIAL_REGISTER(blockIdx, __nvvm_read_ptx_sreg_ctaid_)
CUPORT_SPECIAL_REGISTER(blockDim, __nvvm_read_ptx_sreg_ntid_)
CUPORT_SPECIAL_REGISTER(gridDim, __nvvm_read_ptx_sreg_nctaid_)
#endif

#define DEV static __device__ __forceinline__
#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
#define DYNAMIC_SHARED(name) extern __shared__ __attribute__((aligned(1024))) u8 name[]
#define UNROLL _Pragma("unroll")

// ---- threads
DEV u32 lane_id() { return threadIdx.x & 31; }
DEV u32 warp_id() { return threadIdx.x >> 5; }
DEV void bar_sync() { asm volatile("bar.sync 0;" ::: "memory"); }
DEV void warp_sync() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
DEV void thread_fence() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

// Programmatic dependent launch: wait for the grid before this one, and let the one after it start early.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
DEV void grid_wait() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEV void grid_launch_next() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
#else
DEV void grid_wait() {}
DEV void grid_launch_next() {}
#endif

// ---- bits and numbers (the suffix keeps clear of the names that nvcc and NVRTC bring themselves)
DEV float as_float(u32 bits) { float f; asm("mov.b32 %0, %1;" : "=f"(f) : "r"(bits)); return f; }
DEV u32 as_bits(float f) { u32 bits; asm("mov.b32 %0, %1;" : "=r"(bits) : "f"(f)); return bits; }
DEV float fma_f32(float a, float b, float c) { float r; asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(a), "f"(b), "f"(c)); return r; }
DEV float max_f32(float a, float b) { float r; asm("max.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
DEV float min_f32(float a, float b) { float r; asm("min.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
DEV float exp2_approx(float x) { float r; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
DEV float log2_approx(float x) { float r; asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
DEV float rsqrt_approx(float x) { float r; asm("rsqrt.approx.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
DEV float rcp_approx(float x) { float r; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
DEV u32 mul_hi(u32 a, u32 b) { return (u32)(((u64)a * b) >> 32); }

// ---- between the lanes of a warp; all 32 take part
DEV float shfl_xor(float v, int mask) { float r; asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(r) : "f"(v), "r"(mask)); return r; }
DEV u32 shfl_xor(u32 v, int mask) { u32 r; asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(r) : "r"(v), "r"(mask)); return r; }
DEV u32 shfl(u32 v, int lane) { u32 r; asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(r) : "r"(v), "r"(lane)); return r; }
DEV u32 shfl_up(u32 v, int delta) { u32 r; asm volatile("shfl.sync.up.b32 %0, %1, %2, 0x0, 0xffffffff;" : "=r"(r) : "r"(v), "r"(delta)); return r; }
DEV u32 ballot(bool p) { u32 r; asm volatile("{ .reg .pred q; setp.ne.u32 q, %1, 0; vote.sync.ballot.b32 %0, q, 0xffffffff; }" : "=r"(r) : "r"((u32)p)); return r; }
DEV float warp_sum(float v) {
  UNROLL for (int m = 16; m; m >>= 1) v += shfl_xor(v, m);
  return v;
}
DEV float warp_max(float v) {
  UNROLL for (int m = 16; m; m >>= 1) v = max_f32(v, shfl_xor(v, m));
  return v;
}

// ---- global memory
DEV u32x4 load_stream(const void* p) {  // read once: weights, keys and values do not stay in L1
  u32x4 r;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(p));
  return r;
}
DEV u32x4 load_stream_if(const void* p, bool valid) {  // zeros where not valid; a predicate, so that loads in a row stay in flight together
  u32x4 r;
  asm volatile("{ .reg .pred q; setp.ne.u32 q, %5, 0; mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; mov.u32 %3, 0;\n\t"
    "@q ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4]; }" : "=&r"(r.x), "=&r"(r.y), "=&r"(r.z), "=&r"(r.w) : "l"(p), "r"((u32)valid));
  return r;
}
DEV u32x4 load16(const void* p) {
  u32x4 r;
  asm volatile("ld.global.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(p) : "memory");
  return r;
}
DEV u32x4 load16_if(const void* p, bool valid) {
  u32x4 r;
  asm volatile("{ .reg .pred q; setp.ne.u32 q, %5, 0; mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; mov.u32 %3, 0;\n\t"
    "@q ld.global.v4.u32 {%0,%1,%2,%3}, [%4]; }" : "=&r"(r.x), "=&r"(r.y), "=&r"(r.z), "=&r"(r.w) : "l"(p), "r"((u32)valid) : "memory");
  return r;
}
DEV void store16(void* p, u32x4 v) { asm volatile("st.global.v4.u32 [%0], {%1,%2,%3,%4};" :: "l"(p), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory"); }
DEV float load_l2(const float* p) { float r; asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(r) : "l"(p) : "memory"); return r; }  // what another block wrote
DEV int atomic_add(int* p, int v) { int r; asm volatile("atom.global.add.u32 %0, [%1], %2;" : "=r"(r) : "l"(p), "r"(v) : "memory"); return r; }

// ---- shared memory
typedef u32 shared_address;
DEV shared_address to_shared(const void* p) { u32 r; asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(r) : "l"(p)); return r; }
DEV void atomic_add_shared(u64* p, u64 v) { asm volatile("red.shared.add.u64 [%0], %1;" :: "r"(to_shared(p)), "l"(v) : "memory"); }
DEV void copy_async16(shared_address to, const void* from, bool valid) {  // zeros where not valid; `from` must be an address all the same
  u32 bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(bytes) : "memory");
}
DEV void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEV void copy_async_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }

// ---- tensor cores: D (16x8, f32) += A (16x16, row) * B (16x8, column)
DEV void load_matrix_x4(u32 (&r)[4], shared_address a) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(a) : "memory");
}
DEV void load_matrix_x4_trans(u32 (&r)[4], shared_address a) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(a) : "memory");
}

// ---- the two 16-bit formats behind one name: T is bf16 or f16
template <class T> struct Half;
template <> struct Half<bf16> {
  DEV float low(u32 pair) { return as_float(pair << 16); }
  DEV float high(u32 pair) { return as_float(pair & 0xffff0000u); }
  DEV float widen(bf16 x) { return as_float((u32)x.v << 16); }
  DEV u32 pack(float low, float high) { u32 r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
  DEV bf16 narrow(float f) { bf16 r; r.v = (u16)pack(f, 0.f); return r; }
  DEV void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};
template <> struct Half<f16> {
  DEV float low(u32 pair) { float r; asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l; }" : "=f"(r) : "r"(pair)); return r; }
  DEV float high(u32 pair) { float r; asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h; }" : "=f"(r) : "r"(pair)); return r; }
  DEV float widen(f16 x) { return low(x.v); }
  DEV u32 pack(float low, float high) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
  DEV f16 narrow(float f) { f16 r; r.v = (u16)pack(f, 0.f); return r; }
  DEV void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
};
template <class T> DEV void unpack8(const u32x4& v, float (&f)[8]) {
  f[0] = Half<T>::low(v.x); f[1] = Half<T>::high(v.x); f[2] = Half<T>::low(v.y); f[3] = Half<T>::high(v.y);
  f[4] = Half<T>::low(v.z); f[5] = Half<T>::high(v.z); f[6] = Half<T>::low(v.w); f[7] = Half<T>::high(v.w);
}
template <class T> DEV u32x4 pack8(const float (&f)[8]) {
  u32x4 r;
  r.x = Half<T>::pack(f[0], f[1]); r.y = Half<T>::pack(f[2], f[3]); r.z = Half<T>::pack(f[4], f[5]); r.w = Half<T>::pack(f[6], f[7]);
  return r;
}
