// The next token of each row, chosen on the device. A block a row.
// The chain and its order are those of the host's sampler: bias; allowed and banned tokens; repetition, then frequency and presence penalties;
// temperature; top-k; min-p; top-p; choice. The choice adds Gumbel noise and takes the largest (Gumbel-max; Maddison et al. 2014), where the
// host inverts the cumulative distribution: both draw from the same distribution, but one seed gives different tokens on the two.
// Borders are found by radix selection on the bits of the logits. Masses are summed as integers, so that the order of additions, which
// varies from run to run, changes nothing: equal logits, bit for bit, give equal tokens.
#include "params.cuh"

constexpr int SAMPLE_THREADS = 1024;
constexpr int SAMPLE_WARPS = SAMPLE_THREADS / 32;
constexpr float GREEDY_TEMPERATURE = 1e-5f;     // as the host's
constexpr float LOG2E = 1.44269504f, LN2 = 0.69314718f;
constexpr float MASS_ONE = 1099511627776.f;     // 2^40: a vocabulary of 2^18 such weights stays below 2^64
constexpr int BINS = 2048;                      // 11 bits a pass
constexpr u32 NO_TOKEN = 0xffffffffu;

DEV float infinity() { return as_float(0x7f800000u); }
DEV bool finite(float f) { return (as_bits(f) & 0x7f800000u) != 0x7f800000u; }
DEV bool is_nan(float f) { return (as_bits(f) & 0x7fffffffu) > 0x7f800000u; }

// Keys order as floats do. Adding zero makes -0 and 0 one.
DEV u32 order_key(float f) {
  const u32 bits = as_bits(f + 0.f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

struct SampleShared {
  u64 bins[BINS];
  u64 warp_mass[SAMPLE_WARPS];
  float warp_value[SAMPLE_WARPS];
  u32 warp_token[SAMPLE_WARPS];
  u32 warp_flag[SAMPLE_WARPS];
  u64 above;
  u32 bin;
  int tie_end;
};

// What a filter keeps: keys above the border, and of those equal to it the ids below tie_end.
struct Kept {
  u32 border;
  int tie_end;
  __device__ __forceinline__ bool holds(u32 key, int token) const { return key > border || (key == border && token < tie_end); }
};

struct Row {
  float* logits;
  const u32* mask;  // null: all allowed
  int vocabulary;
  __device__ __forceinline__ float at(int token) const {
    return mask && !(mask[token >> 5] >> (token & 31) & 1) ? -infinity() : logits[token];
  }
};

// ---- over the block

struct Best { float value; u32 token; };

// The largest value, the lowest token where several are equal; in every thread.
DEV Best block_best(SampleShared& shared, Best mine) {
  UNROLL for (int m = 16; m; m >>= 1) {
    const float value = shfl_xor(mine.value, m);
    const u32 token = shfl_xor(mine.token, m);
    if (value > mine.value || (value == mine.value && token < mine.token)) { mine.value = value; mine.token = token; }
  }
  bar_sync();
  if (lane_id() == 0) { shared.warp_value[warp_id()] = mine.value; shared.warp_token[warp_id()] = mine.token; }
  bar_sync();
  mine.value = shared.warp_value[lane_id()];
  mine.token = shared.warp_token[lane_id()];
  UNROLL for (int m = 16; m; m >>= 1) {
    const float value = shfl_xor(mine.value, m);
    const u32 token = shfl_xor(mine.token, m);
    if (value > mine.value || (value == mine.value && token < mine.token)) { mine.value = value; mine.token = token; }
  }
  return mine;
}

DEV bool block_any(SampleShared& shared, bool mine) {
  const u32 votes = ballot(mine);
  bar_sync();
  if (lane_id() == 0) shared.warp_flag[warp_id()] = votes;
  bar_sync();
  return ballot(shared.warp_flag[lane_id()] != 0) != 0;
}

DEV float block_sum(SampleShared& shared, float mine) {
  mine = warp_sum(mine);
  bar_sync();
  if (lane_id() == 0) shared.warp_value[warp_id()] = mine;
  bar_sync();
  return warp_sum(shared.warp_value[lane_id()]);
}

// The sum over this thread and those before it.
DEV u64 block_scan(SampleShared& shared, u64 mine) {
  UNROLL for (int d = 1; d < 32; d <<= 1) {
    const u64 before = (u64)shfl_up((u32)(mine >> 32), d) << 32 | shfl_up((u32)mine, d);
    if (lane_id() >= d) mine += before;
  }
  bar_sync();
  if (lane_id() == 31) shared.warp_mass[warp_id()] = mine;
  bar_sync();
  for (int w = 0; w < (int)warp_id(); w++) mine += shared.warp_mass[w];
  return mine;
}

// ---- edits of few tokens

DEV float penalised(const SampleRow& row, float logit, int count) {
  logit = logit > 0.f ? logit / row.repetition : logit * row.repetition;
  return count > 0 ? logit - (row.frequency * (float)count + row.presence) : logit;
}

DEV void apply_edits(SampleShared& shared, const SampleParams& p, const SampleRow& row, float* logits) {
  for (int i = row.edits + threadIdx.x; i < row.counts; i += SAMPLE_THREADS) p.edits[i].raw = logits[p.edits[i].token];
  bar_sync();
  for (int i = row.edits + threadIdx.x; i < row.biases; i += SAMPLE_THREADS) logits[p.edits[i].token] += as_float(p.edits[i].value);
  bar_sync();
  for (int i = row.biases + threadIdx.x; i < row.bans; i += SAMPLE_THREADS) logits[p.edits[i].token] = -infinity();
  bar_sync();
  // The token that was fed back is not counted by the host yet.
  const int pending = row.flags & SAMPLE_PENDING ? p.resolved[row.token] : -1;
  bool counted = false;
  for (int i = row.bans + threadIdx.x; i < row.counts; i += SAMPLE_THREADS) {
    const int token = p.edits[i].token, extra = token == pending;
    counted |= extra;
    logits[token] = penalised(row, logits[token], p.edits[i].value + extra);
  }
  const bool penalises = row.repetition != 1.f || row.frequency != 0.f || row.presence != 0.f;
  if (block_any(shared, counted) || !penalises || pending < 0) return;
  if (threadIdx.x == 0 && pending < p.vocabulary) logits[pending] = penalised(row, logits[pending], 1);
  bar_sync();
}

// Back to the raw row, whose log-probabilities are reported; but for a pending token that no list names, which the caller saved.
DEV void undo_edits(const SampleParams& p, const SampleRow& row, float* logits) {
  bar_sync();
  for (int i = row.edits + threadIdx.x; i < row.counts; i += SAMPLE_THREADS) logits[p.edits[i].token] = p.edits[i].raw;
  bar_sync();
}

// ---- selection

// The largest key such that eligible tokens not below it weigh at least `need`; need > 0 and not more than there is.
template <class Eligible, class Mass> DEV Kept select(SampleShared& shared, const Row& row, u64 need, Eligible eligible, Mass mass) {
  u32 prefix = 0, known = 0;
  const int shifts[3] = {21, 10, 0};
  UNROLL for (int pass = 0; pass < 3; pass++) {
    const int shift = shifts[pass];
    const u32 bins = pass == 2 ? 1024 : BINS;
    for (int i = threadIdx.x; i < BINS; i += SAMPLE_THREADS) shared.bins[i] = 0;
    bar_sync();
    for (int token = threadIdx.x; token < row.vocabulary; token += SAMPLE_THREADS) {
      const float value = row.at(token);
      const u32 key = order_key(value);
      if ((key & known) == prefix && eligible(value, key, token)) atomic_add_shared(&shared.bins[key >> shift & (bins - 1)], mass(value));
    }
    bar_sync();
    // From the highest bin down, two a thread.
    const u64 first = shared.bins[BINS - 1 - 2 * threadIdx.x], second = shared.bins[BINS - 2 - 2 * threadIdx.x];
    const u64 through = block_scan(shared, first + second), before = through - first - second;
    if (before < need && need <= through) {
      const bool in_first = need <= before + first;
      shared.bin = in_first ? BINS - 1 - 2 * threadIdx.x : BINS - 2 - 2 * threadIdx.x;
      shared.above = in_first ? before : before + first;
    }
    bar_sync();
    need -= shared.above;
    prefix |= shared.bin << shift;
    known |= (bins - 1) << shift;
  }
  // Of equal keys as many as are needed, the lowest ids first.
  const u64 each = mass(as_float(prefix & 0x80000000u ? prefix & 0x7fffffffu : ~prefix));
  const u32 ties = (u32)((need + each - 1) / each);
  Kept kept = {prefix, row.vocabulary};
  if (shared.bins[shared.bin] <= ties * each) return kept;
  u32 seen = 0;
  for (int base = 0; base < row.vocabulary && seen < ties; base += SAMPLE_THREADS) {
    const int token = base + threadIdx.x;
    bool tied = false;
    if (token < row.vocabulary) {
      const float value = row.at(token);
      tied = order_key(value) == prefix && eligible(value, prefix, token);
    }
    const u64 through = block_scan(shared, tied);
    if (tied && seen + through == ties) shared.tie_end = token + 1;
    bar_sync();
    if (threadIdx.x == SAMPLE_THREADS - 1) shared.above = through;
    bar_sync();
    seen += (u32)shared.above;
  }
  bar_sync();
  kept.tie_end = shared.tie_end;
  return kept;
}

// ---- choice

// Philox4x32-10 (Salmon et al. 2011): four words of (seed, position, draw).
DEV void philox(u64 seed, int position, u32 draw, u32 (&words)[4]) {
  u32 c0 = (u32)position, c1 = 0, c2 = draw, c3 = 0, k0 = (u32)seed, k1 = (u32)(seed >> 32);
  UNROLL for (int round = 0; round < 10; round++) {
    const u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
    const u32 n0 = (u32)(p1 >> 32) ^ c1 ^ k0, n2 = (u32)(p0 >> 32) ^ c3 ^ k1;
    c1 = (u32)p1;
    c3 = (u32)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// -ln(-ln u) of 24 random bits. Near u = 1, where the largest values come from, -ln u is summed as a series: an approximate logarithm loses it there.
DEV float gumbel(u32 bits) {
  const float u = ((float)(bits >> 8) + 0.5f) * (1.f / 16777216.f), v = ((float)(0xffffffu - (bits >> 8)) + 0.5f) * (1.f / 16777216.f);
  const float z = v * rcp_approx(2.f - v), z2 = z * z;
  const float series = 2.f * z * (1.f + z2 * (1.f / 3 + z2 * (1.f / 5 + z2 * (1.f / 7))));
  const float surprise = v < 0.25f ? series : -LN2 * log2_approx(u);
  return -LN2 * log2_approx(surprise);
}

template <class Keep> DEV int draw(SampleShared& shared, const Row& row, const SampleRow& wanted, float top, Keep keep) {
  const float scale = 1.f / wanted.temperature;
  Best mine = {-infinity(), NO_TOKEN};
  for (int first = threadIdx.x * 4; first < row.vocabulary; first += SAMPLE_THREADS * 4) {
    bool kept[4], any = false;
    UNROLL for (int j = 0; j < 4; j++) {
      kept[j] = first + j < row.vocabulary && keep(row.at(first + j), first + j);
      any |= kept[j];
    }
    if (!any) continue;
    u32 words[4];
    philox(wanted.seed, wanted.position, 1 + first / 4, words);
    UNROLL for (int j = 0; j < 4; j++)
      if (kept[j]) {
        const float score = (row.at(first + j) - top) * scale + gumbel(words[j]);
        if (score > mine.value) { mine.value = score; mine.token = first + j; }  // ids rise, so of equals the lowest stays
      }
  }
  return (int)block_best(shared, mine).token;
}

DEV Best row_best(SampleShared& shared, const Row& row, bool& broken) {
  Best mine = {-infinity(), NO_TOKEN};
  bool nan = false;
  for (int token = threadIdx.x; token < row.vocabulary; token += SAMPLE_THREADS) {
    const float value = row.at(token);
    nan |= is_nan(value);
    if (value > mine.value) { mine.value = value; mine.token = token; }
  }
  mine = block_best(shared, mine);
  broken = block_any(shared, nan) || !finite(mine.value);  // NaN, +inf, or nothing allowed
  return mine;
}

DEV int choose(SampleShared& shared, const Row& row, const SampleRow& wanted) {
  bool broken;
  const Best best = row_best(shared, row, broken);
  if (broken) return -1;
  if (wanted.temperature < GREEDY_TEMPERATURE || wanted.top_k == 1) return (int)best.token;

  const float top = best.value, scale = LOG2E / wanted.temperature;
  Kept k = {0, 0}, p = {0, 0};  // nothing has key 0 but NaN: all is above
  if (wanted.top_k > 0 && wanted.top_k < row.vocabulary)
    k = select(shared, row, wanted.top_k, [](float, u32, int) { return true; }, [](float) { return (u64)1; });
  auto weight = [=](float value) { return exp2_approx((value - top) * scale); };
  auto likely = [=](float value, u32 key, int token) { return k.holds(key, token) && value > -infinity() && weight(value) >= wanted.min_p; };
  auto mass = [=](float value) { return (u64)(weight(value) * MASS_ONE); };
  if (wanted.top_p < 1.f) {
    u64 sum = 0;
    for (int token = threadIdx.x; token < row.vocabulary; token += SAMPLE_THREADS) {
      const float value = row.at(token);
      if (likely(value, order_key(value), token)) sum += mass(value);
    }
    sum = block_scan(shared, sum);
    bar_sync();
    if (threadIdx.x == SAMPLE_THREADS - 1) shared.above = sum;
    bar_sync();
    const u64 total = shared.above;
    bar_sync();
    const u64 share = (total >> 24) * (u32)(wanted.top_p * 16777216.f), need = share < 1 ? 1 : share;
    // Tokens below this floor sum to less than what is cut, so the border is not among them; a 256th less stands above all rounding.
    const u64 cut = (total >> 24) * (u32)((1.f - wanted.top_p) * 16777216.f) / (u32)row.vocabulary, least = cut - cut / 256 < 1 ? 1 : cut - cut / 256;
    p = select(shared, row, need, [=](float value, u32 key, int token) { return likely(value, key, token) && mass(value) >= least; }, mass);
  }
  return draw(shared, row, wanted, top, [=](float value, int token) {
    const u32 key = order_key(value);
    return likely(value, key, token) && p.holds(key, token);
  });
}

// Log-probability and rank of a token in the raw row; false if the row is unusable.
DEV bool report(SampleShared& shared, const Row& raw, int token, SampleOut& out) {
  bool broken;
  const float top = row_best(shared, raw, broken).value;
  if (broken || (u32)token >= (u32)raw.vocabulary) return false;
  const float own = raw.logits[token];
  float sum = 0.f, above = 0.f;  // counts are exact in f32 up to 2^24
  for (int i = threadIdx.x; i < raw.vocabulary; i += SAMPLE_THREADS) {
    sum += exp2_approx((raw.logits[i] - top) * LOG2E);
    above += raw.logits[i] > own;
  }
  out.logprob = own - (top + LN2 * log2_approx(block_sum(shared, sum)));
  out.rank = 1 + (int)block_sum(shared, above);
  return true;
}

KERNEL(SAMPLE_THREADS) sample(const SampleParams p) {
  __shared__ SampleShared shared;
  grid_wait();
  const SampleRow wanted = p.rows[blockIdx.x];
  if (wanted.flags & SAMPLE_SKIP) return;
  const Row raw = {p.logits + (u64)blockIdx.x * p.logits_stride, nullptr, p.vocabulary};
  SampleOut out = {wanted.target, as_float(0x7fc00000u), 0, 0};
  if (wanted.flags & SAMPLE_SCORE) {
    out.failed = !report(shared, raw, wanted.target, out);
  } else {
    const int pending = wanted.flags & SAMPLE_PENDING ? p.resolved[wanted.token] : -1;
    const float pending_raw = (u32)pending < (u32)p.vocabulary ? raw.logits[pending] : 0.f;
    bar_sync();  // read before it is edited
    apply_edits(shared, p, wanted, raw.logits);
    const Row edited = {raw.logits, wanted.mask >= 0 ? p.masks + wanted.mask : nullptr, p.vocabulary};
    out.token = choose(shared, edited, wanted);
    out.failed = out.token < 0;
    if (wanted.flags & SAMPLE_LOGPROB && !out.failed) {
      if (threadIdx.x == 0 && (u32)pending < (u32)p.vocabulary) raw.logits[pending] = pending_raw;
      undo_edits(p, wanted, raw.logits);
      out.failed = !report(shared, raw, out.token, out);
      if (out.failed) out.token = -1;
    }
  }
  if (threadIdx.x != 0) return;
  p.results[blockIdx.x] = out;
  if (!(wanted.flags & SAMPLE_SCORE)) p.feed[blockIdx.x] = out.failed ? 0 : out.token;
}
