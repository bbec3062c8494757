/* The k nearest codes of each query, by Hamming distance, those of equal distance in the order of the base.

   The base is read in blocks that stay in the first-level cache while all queries of the call are compared with
   them.  `bound` is the smallest distance within which k codes have been found already: of the codes that come later
   only nearer ones can belong to the result, so almost all of them are settled by one comparison. */

#include <stdint.h>

enum { BLOCK = 1024 };

typedef struct {
  int64_t *index;    /* [room] accepted codes, in the order of the base */
  int32_t *distance; /* [room] */
  int64_t *within;   /* [most + 1] accepted codes of each distance */
  int64_t count, bound, below; /* below: accepted codes nearer than bound */
} Query;

static void distances(const uint64_t *base, const uint64_t *query, int64_t rows, int64_t words, int32_t *out) {
  if (words == 1) {
    for (int64_t i = 0; i < rows; i++) out[i] = (int32_t)__builtin_popcountll(base[i] ^ query[0]);
    return;
  }
  for (int64_t i = 0; i < rows; i++) {
    int32_t sum = 0;
    for (int64_t w = 0; w < words; w++) sum += (int32_t)__builtin_popcountll(base[i * words + w] ^ query[w]);
    out[i] = sum;
  }
}

/* Keep the k that count: those nearer than the bound, and the first ones at it. */
static void compact(Query *q, int64_t k) {
  int64_t kept = 0, ties = k - q->below;
  for (int64_t i = 0; i < q->count; i++) {
    int64_t d = q->distance[i];
    if (d > q->bound || (d == q->bound && ties-- <= 0)) continue;
    q->index[kept] = q->index[i];
    q->distance[kept++] = q->distance[i];
  }
  q->count = kept;
}

static void accept(Query *q, int64_t index, int32_t d, int64_t k, int64_t room) {
  if (q->count == room) compact(q, k);
  q->index[q->count] = index;
  q->distance[q->count++] = d;
  q->within[d]++;
  if (d < q->bound) q->below++;
  while (q->below >= k) q->below -= q->within[--q->bound];
}

static int nearer(const int32_t *found, int64_t rows, int64_t bound) {
  int32_t least = INT32_MAX;
  for (int64_t i = 0; i < rows; i++) least = found[i] < least ? found[i] : least;
  return least < bound;
}

/* base [n, words], queries [count, words] -> index, distance [count, room]: the first k of each row, in the order of
   the base; within [count, most + 1] and both results are zero on entry; room >= 2 k. */
void spikec_nearest(const uint64_t *base, int64_t n, const uint64_t *queries, int64_t count, int64_t words, int64_t most,
                    int64_t k, int64_t room, int64_t *index, int32_t *distance, int64_t *within, int64_t *state) {
  int32_t found[BLOCK];
  for (int64_t first = 0; first < n; first += BLOCK) {
    int64_t rows = n - first < BLOCK ? n - first : BLOCK;
    for (int64_t j = 0; j < count; j++) {
      Query q = {index + j * room, distance + j * room, within + j * (most + 1), state[3 * j], state[3 * j + 1],
                 state[3 * j + 2]};
      if (first == 0) q.bound = most + 1;
      distances(base + first * words, queries + j * words, rows, words, found);
      if (nearer(found, rows, q.bound))
        for (int64_t i = 0; i < rows; i++)
          if (found[i] < q.bound) accept(&q, first + i, found[i], k, room);
      if (first + rows == n) compact(&q, k);
      state[3 * j] = q.count, state[3 * j + 1] = q.bound, state[3 * j + 2] = q.below;
    }
  }
}
