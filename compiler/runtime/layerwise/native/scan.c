/* Neuron scans: one pass over memory for all steps of a tile of elements.

   The arithmetic is that of spikec.ir.ops, operation by operation, so that events are the same bit
   for bit: no contraction, no reordering.  REAL (float or double) and TILE (elements whose state
   stays in the first-level cache) come from the compiler's command line. */

#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define FLOOR(a) ((REAL)_Generic((REAL)0, float: __builtin_floorf, double: __builtin_floor)(a))

enum { SOFT, HARD };
enum { LEAK_NONE, DECAY, DECAY_INPUT, SILENT };
enum { NEVER, FREE, MEMORY, CORRECTION };
enum { THETA, AMPLITUDE, PHI, V0, RESET_TO, LEAK, REST, PARAMETERS };
enum { RESET, LEAKS, NEGATIVE, ABOVE, BEFORE_INPUT, LEVELS, LOW, HIGH, WINDOW, COUNT, OPTIONS };
enum { STATES = 3 };

/* The fields of spikec.runtime.layerwise.native.call.Scan, in its order. */
typedef struct {
    const REAL *x;                     /* step t of sample s stands at x + s x_sample + t x_step */
    REAL *y;                           /* null: nobody reads it */
    int64_t samples, inner, steps;     /* inner: elements of one sample's step, side by side */
    int64_t x_sample, x_step, y_sample, y_step;
    int64_t silent_from;               /* from this step on the current is 0 */
    int64_t first;                     /* time of the first step, from 1 */
    REAL *state[STATES];               /* [samples, inner] each, or null: nobody goes on */
    const REAL *parameter[PARAMETERS]; /* [inner] or [1] */
    int64_t whole[PARAMETERS];         /* 1: [inner] */
    int64_t option[OPTIONS];
    REAL margin[2];
    int64_t *events, *quanta;          /* [tiles, steps], or null: nobody counts */
    uint8_t *bytes;                    /* events as k + zero, laid out like y, or null */
    int64_t zero;
    const REAL *more;                  /* added to the current, or null */
    const uint8_t *more_bytes;         /* the same as (k - more_zero) more_amplitude, or null */
    int64_t more_sample, more_step, more_zero;
    REAL more_amplitude;
} Scan;

typedef struct {
    REAL p[PARAMETERS][TILE], s[STATES][TILE], k[TILE], unread[TILE], sum[TILE];
    const REAL *x;
    REAL *y;
    uint8_t *bytes;
    int64_t n, y_step, more;
} Tile;

static const REAL silence[TILE];

typedef struct {
    int reset, leak, negative, above, before, single;
} Rule;

INLINE REAL least(REAL a, REAL b) { return a < b ? a : b; }
INLINE REAL most(REAL a, REAL b) { return a > b ? a : b; }
INLINE REAL clip(REAL a, REAL low, REAL high) { return a < low ? low : (a > high ? high : a); }

INLINE REAL quanta(REAL h, REAL quantum, REAL levels, int above, int single) {
    if (single) /* a rounded quotient reaches 1 exactly where h reaches the quantum */
        return (above ? h > quantum : h >= quantum) ? 1 : (h == h ? 0 : h);
    return clip(above ? -FLOOR(-h / quantum) - 1 : FLOOR(h / quantum), 0, levels);
}

INLINE REAL taken_back(REAL h, REAL sent, REAL phi, REAL levels, Rule r) {
    if (r.negative == NEVER) return 0;
    if (r.negative == CORRECTION)
        return least(clip(-FLOOR(h / phi), 0, levels), most(sent, 0));
    REAL n = quanta(-h, phi, levels, r.above, r.single);
    return r.negative == FREE ? n : least(n, most(sent, 0));
}

INLINE REAL charged(REAL v, REAL x, REAL k, REAL rest, int leak) {
    if (leak == DECAY) return rest + k * (v - rest) + x;
    if (leak == DECAY_INPUT) return v + (x - (v - rest)) / k;
    return v + x;
}

INLINE REAL taken(REAL up, REAL down, const Tile *t, int64_t i, Rule r) {
    REAL positive = t->p[THETA][i] * up;
    return r.negative == NEVER ? positive : positive - t->p[PHI][i] * down;
}

INLINE REAL settled(REAL h, REAL up, REAL down, const Tile *t, int64_t i, Rule r) {
    int fired = up != down;
    REAL v = r.reset == HARD ? (fired ? t->p[RESET_TO][i] : h)
                             : h - taken(up, down, t, i, r);
    if (r.leak != SILENT) return v;
    REAL rest = t->p[REST][i];
    return fired ? v : rest + t->p[LEAK][i] * (v - rest);
}

INLINE void integrate_fire(const Scan *a, Tile *restrict t, const REAL *restrict x,
                           REAL *restrict y, Rule r) {
    REAL levels = (REAL)a->option[LEVELS];
    for (int64_t i = 0; i < t->n; i++) {
        REAL v = t->s[0][i], sent = t->s[1][i], k = t->p[LEAK][i], rest = t->p[REST][i];
        REAL h = r.before ? v : charged(v, x[i], k, rest, r.leak);
        REAL up = quanta(h, t->p[THETA][i], levels, r.above, r.single);
        REAL down = taken_back(h, sent, t->p[PHI][i], levels, r);
        if (!r.before)
            v = settled(h, up, down, t, i, r);
        else if (r.reset == HARD || r.leak == SILENT)
            v = charged(settled(h, up, down, t, i, r), x[i], k, rest, r.leak);
        else
            v = charged(h, x[i], k, rest, r.leak) - taken(up, down, t, i, r);
        t->s[0][i] = v;
        REAL n = up - down;
        if (r.negative == MEMORY || r.negative == CORRECTION) t->s[1][i] = sent + n;
        t->k[i] = n;
        y[i] = n * t->p[AMPLITUDE][i];
    }
}

INLINE void accumulator(const Scan *a, Tile *restrict t, const REAL *restrict x,
                        REAL *restrict y) {
    int leak = (int)a->option[LEAKS];
    for (int64_t i = 0; i < t->n; i++)
        y[i] = t->s[0][i] = charged(t->s[0][i], x[i], t->p[LEAK][i], t->p[REST][i], leak);
}

INLINE void bipolar(const Scan *a, Tile *restrict t, const REAL *restrict x, REAL *restrict y) {
    REAL levels = (REAL)a->option[LEVELS], low = (REAL)a->option[LOW], high = (REAL)a->option[HIGH];
    for (int64_t i = 0; i < t->n; i++) {
        REAL s = t->p[THETA][i], q = t->s[0][i] + x[i], traced = t->s[1][i];
        REAL e = clip(FLOOR(q / s), most(low - traced, -levels), least(high - traced, levels));
        t->s[0][i] = q - s * e;
        t->s[1][i] = traced + e;
        t->k[i] = e;
        y[i] = t->p[AMPLITUDE][i] * e;
    }
}

INLINE REAL largest_power(REAL n, int64_t count) {
    REAL power = 0;
    for (int64_t k = 0; k < count; k++) power = n >= (REAL)(1 << k) ? (REAL)(1 << k) : power;
    return power;
}

INLINE void multi_threshold(const Scan *a, Tile *restrict t, const REAL *restrict x,
                            REAL *restrict y, int negative, int largest) {
    Rule r = {.negative = negative};
    for (int64_t i = 0; i < t->n; i++) {
        REAL quantum = t->p[THETA][i], h = t->s[0][i] + x[i], sent = t->s[1][i];
        REAL levels = t->p[PHI][i];
        REAL up = quanta(h, quantum, levels, 0, 0);
        REAL down = taken_back(h, sent, quantum, levels, r);
        if (largest) {
            up = largest_power(up, a->option[COUNT]);
            down = largest_power(down, a->option[COUNT]);
        }
        REAL n = up - down;
        t->s[0][i] = h - quantum * n;
        t->s[1][i] = sent + n;
        t->k[i] = n;
        y[i] = t->p[AMPLITUDE][i] * n;
    }
}

INLINE void phased(const Scan *a, Tile *restrict t, const REAL *restrict x, REAL *restrict y,
                   int64_t time) {
    REAL levels = (REAL)a->option[LEVELS];
    if (time > 1 && (time - 1) % a->option[WINDOW] == 0)
        for (int64_t i = 0; i < t->n; i++) {
            t->s[0][i] = t->s[1][i] + t->p[V0][i];
            t->s[1][i] = 0;
        }
    for (int64_t i = 0; i < t->n; i++) {
        REAL v = t->s[0][i], theta = t->p[THETA][i], n = quanta(v, theta, levels, 0, 0);
        t->s[0][i] = v - theta * n;
        t->s[1][i] += x[i];
        t->k[i] = n;
        y[i] = t->p[AMPLITUDE][i] * n;
    }
}

INLINE void sigma_delta(const Scan *a, Tile *restrict t, const REAL *restrict x,
                        REAL *restrict y) {
    REAL low = (REAL)a->option[LOW], high = (REAL)a->option[HIGH];
    REAL deadband = (REAL)a->option[COUNT];
    for (int64_t i = 0; i < t->n; i++) {
        REAL s = t->p[THETA][i], sigma = t->s[0][i] + x[i];
        REAL change = clip(FLOOR(sigma / s + (REAL)0.5), low, high) - t->s[1][i];
        REAL size = change < 0 ? -change : change, e = size >= deadband ? change : 0;
        t->s[0][i] = sigma;
        t->s[1][i] += e;
        t->k[i] = e;
        y[i] = t->p[AMPLITUDE][i] * e;
    }
}

static void differential(const Scan *a, Tile *restrict t, const REAL *restrict x,
                         REAL *restrict y, int64_t time) {
    int64_t count = a->option[COUNT], free = !a->option[NEGATIVE];
    REAL when = (REAL)time;
    for (int64_t i = 0; i < t->n; i++) {
        t->s[0][i] = t->s[0][i] + (x[i] + t->s[1][i] - t->s[2][i]);
        t->s[1][i] = t->s[1][i] + x[i] / when;
        t->k[i] = y[i] = 0;
    }
    for (int64_t k = count - 1; k >= 0; k--) { /* the largest comes last and wins */
        REAL share = (REAL)1 / (REAL)(1 << k), units = (REAL)(1 << (count - 1 - k));
        for (int64_t i = 0; i < t->n; i++) {
            REAL level = t->p[THETA][i] * share, w = t->s[0][i];
            int up = w >= a->margin[0] * level;
            int down = (w <= -a->margin[1] * level) & (free | (t->s[2][i] * when >= level));
            y[i] = down ? -level : (up ? level : y[i]);
            t->k[i] = down ? -units : (up ? units : t->k[i]);
        }
    }
    for (int64_t i = 0; i < t->n; i++) {
        t->s[0][i] = t->s[0][i] - y[i];
        t->s[2][i] = t->s[2][i] + y[i] / when;
    }
}

INLINE void mean(const Scan *a, Tile *restrict t, const REAL *restrict x, REAL *restrict y,
                 int64_t time) {
    int64_t start = a->option[WINDOW];
    REAL count = (REAL)(time <= start ? time : time - start);
    for (int64_t i = 0; i < t->n; i++) {
        REAL total = time == start + 1 ? x[i] : t->s[0][i] + x[i];
        t->s[0][i] = total;
        y[i] = total / count;
    }
}

INLINE void cumulative_sum(Tile *restrict t, const REAL *restrict x, REAL *restrict y) {
    for (int64_t i = 0; i < t->n; i++) y[i] = t->s[0][i] = t->s[0][i] + x[i];
}

INLINE void difference(Tile *restrict t, const REAL *restrict x, REAL *restrict y) {
    for (int64_t i = 0; i < t->n; i++) {
        REAL now = x[i];
        y[i] = now - t->s[0][i];
        t->s[0][i] = now;
    }
}

static void count(const Scan *a, const Tile *t, int64_t tile, int64_t step) {
    int32_t events = 0;
    int64_t sum = 0;
    for (int64_t i = 0; i < t->n; i++) events += t->k[i] != 0;
    if (a->option[LEVELS] < 1 << 20) { /* small numbers: 32 bits hold a tile's sum */
        int32_t small = 0;
        for (int64_t i = 0; i < t->n; i++) small += (int32_t)(t->k[i] < 0 ? -t->k[i] : t->k[i]);
        sum = small;
    } else {
        for (int64_t i = 0; i < t->n; i++) sum += (int64_t)(t->k[i] < 0 ? -t->k[i] : t->k[i]);
    }
    a->events[tile * a->steps + step] = events;
    a->quanta[tile * a->steps + step] = sum;
}

static void write_bytes(const Scan *a, const Tile *t, int64_t step) {
    uint8_t *restrict bytes = t->bytes + step * a->y_step;
    const REAL *restrict k = t->k;
    int32_t zero = (int32_t)a->zero;
    int64_t n = t->n; /* a local one: bytes may alias anything */
    for (int64_t i = 0; i < n; i++) bytes[i] = (uint8_t)((int32_t)k[i] + zero);
}

INLINE const REAL *current(const Scan *a, Tile *t, int64_t step) {
    if (step >= a->silent_from) return silence;
    const REAL *x = t->x + step * a->x_step;
    int64_t at = t->more + step * a->more_step;
    if (a->more) {
        for (int64_t i = 0; i < t->n; i++) t->sum[i] = x[i] + a->more[at + i];
        return t->sum;
    }
    if (a->more_bytes) {
        int32_t zero = (int32_t)a->more_zero;
        for (int64_t i = 0; i < t->n; i++)
            t->sum[i] = x[i] + (REAL)((int32_t)a->more_bytes[at + i] - zero) * a->more_amplitude;
        return t->sum;
    }
    return x;
}

/* Walk through time with ROW as the work of one step. */
#define OVER_TIME(ROW)                                                                        \
    do {                                                                                      \
        for (int64_t step = 0; step < a->steps; step++) {                                     \
            const REAL *x = current(a, t, step);                                              \
            REAL *y = t->y + step * t->y_step;                                                \
            int64_t time __attribute__((unused)) = a->first + step;                           \
            ROW;                                                                              \
            if (a->events) count(a, t, tile, step);                                           \
            if (a->bytes) write_bytes(a, t, step);                                            \
        }                                                                                     \
    } while (0)

#define FIRE(...) OVER_TIME(integrate_fire(a, t, x, y, (Rule){__VA_ARGS__}))

static void fire_plainly(const Scan *a, Tile *t, int64_t tile, int negative, int single) {
    switch (2 * negative + single) { /* soft reset, no leak, >=, decided with this step's input */
    case 2 * NEVER + 0: FIRE(SOFT, LEAK_NONE, NEVER, 0, 0, 0); return;
    case 2 * NEVER + 1: FIRE(SOFT, LEAK_NONE, NEVER, 0, 0, 1); return;
    case 2 * FREE + 0: FIRE(SOFT, LEAK_NONE, FREE, 0, 0, 0); return;
    case 2 * FREE + 1: FIRE(SOFT, LEAK_NONE, FREE, 0, 0, 1); return;
    case 2 * MEMORY + 0: FIRE(SOFT, LEAK_NONE, MEMORY, 0, 0, 0); return;
    case 2 * MEMORY + 1: FIRE(SOFT, LEAK_NONE, MEMORY, 0, 0, 1); return;
    case 2 * CORRECTION + 0: FIRE(SOFT, LEAK_NONE, CORRECTION, 0, 0, 0); return;
    default: FIRE(SOFT, LEAK_NONE, CORRECTION, 0, 0, 1); return;
    }
}

static void fire(const Scan *a, Tile *t, int64_t tile) {
    const int64_t *o = a->option;
    int reset = (int)o[RESET], leak = (int)o[LEAKS], negative = (int)o[NEGATIVE];
    int above = (int)o[ABOVE], before = (int)o[BEFORE_INPUT], single = o[LEVELS] == 1;
    if (reset == SOFT && leak == LEAK_NONE && !above && !before)
        fire_plainly(a, t, tile, negative, single);
    else if (negative == NEVER && !before && single && leak == DECAY && reset == HARD)
        FIRE(HARD, DECAY, NEVER, above, 0, 1);
    else if (negative == NEVER && !before && single && leak == DECAY)
        FIRE(SOFT, DECAY, NEVER, above, 0, 1);
    else if (negative == NEVER && !before && single && leak == DECAY_INPUT && reset == HARD)
        FIRE(HARD, DECAY_INPUT, NEVER, above, 0, 1);
    else if (negative == NEVER && !before && single && leak == LEAK_NONE)
        FIRE(reset, LEAK_NONE, NEVER, above, 0, 1);
    else
        FIRE(reset, leak, negative, above, before, single);
}

static void multi(const Scan *a, Tile *t, int64_t tile) {
    int largest = a->option[RESET] != 0, negative = (int)a->option[NEGATIVE];
    if (negative == NEVER && !largest)
        OVER_TIME(multi_threshold(a, t, x, y, NEVER, 0));
    else if (negative == MEMORY && !largest)
        OVER_TIME(multi_threshold(a, t, x, y, MEMORY, 0));
    else
        OVER_TIME(multi_threshold(a, t, x, y, negative, largest));
}

static void advance(const Scan *a, Tile *t, int64_t tile, int64_t kind) {
    switch (kind) { /* the order of spikec.runtime.layerwise.native.call.Kind */
    case 0: fire(a, t, tile); return;
    case 1: OVER_TIME(accumulator(a, t, x, y)); return;
    case 2: OVER_TIME(bipolar(a, t, x, y)); return;
    case 3: multi(a, t, tile); return;
    case 4: OVER_TIME(phased(a, t, x, y, time)); return;
    case 5: OVER_TIME(sigma_delta(a, t, x, y)); return;
    case 6: OVER_TIME(differential(a, t, x, y, time)); return;
    case 7: OVER_TIME(mean(a, t, x, y, time)); return;
    case 8: OVER_TIME(cumulative_sum(t, x, y)); return;
    default: OVER_TIME(difference(t, x, y)); return;
    }
}

static void run_tile(const Scan *a, Tile *t, int64_t tile, int64_t kind) {
    int64_t per_sample = (a->inner + TILE - 1) / TILE, sample = tile / per_sample;
    int64_t start = tile % per_sample * TILE, left = a->inner - start;
    t->n = left < TILE ? left : TILE;
    t->x = a->x + sample * a->x_sample + start;
    t->y = a->y ? a->y + sample * a->y_sample + start : t->unread;
    t->more = sample * a->more_sample + start;
    t->y_step = a->y ? a->y_step : 0;
    t->bytes = a->bytes + (a->bytes ? sample * a->y_sample + start : 0);
    for (int p = 0; p < PARAMETERS; p++)
        for (int64_t i = 0; i < t->n; i++)
            t->p[p][i] = a->parameter[p][a->whole[p] ? start + i : 0];
    int64_t at = sample * a->inner + start;
    for (int s = 0; s < STATES; s++)
        for (int64_t i = 0; i < t->n; i++)
            t->s[s][i] = a->first > 1 ? a->state[s][at + i] : (s == 0 && kind != 4 ? t->p[V0][i] : 0);
    advance(a, t, tile, kind);
    if (a->state[0])
        for (int s = 0; s < STATES; s++)
            for (int64_t i = 0; i < t->n; i++) a->state[s][at + i] = t->s[s][i];
}

typedef struct {
    const Scan *scan;
    int64_t kind, tiles, next;
} Job;

static void work(void *argument) {
    Job *job = argument;
    Tile tile;
    for (;;) {
        int64_t mine = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED);
        if (mine >= job->tiles) return;
        run_tile(job->scan, &tile, mine, job->kind);
    }
}

/* ``parallel`` is GOMP_parallel of the thread pool that torch uses, or null. */
void spikec_scan(const Scan *scan, int64_t kind, unsigned threads,
                 void (*parallel)(void (*)(void *), void *, unsigned, unsigned)) {
    int64_t tiles = scan->samples * ((scan->inner + TILE - 1) / TILE);
    Job job = {scan, kind, tiles, 0};
    if (parallel && threads > 1 && tiles > 1)
        parallel(work, &job, threads, 0);
    else
        work(&job);
}

int64_t spikec_tile(void) { return TILE; }
int64_t spikec_scan_bytes(void) { return sizeof(Scan); }
