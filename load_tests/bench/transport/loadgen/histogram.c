#include "histogram.h"

#include <string.h>

/* Log-linear buckets, as in HdrHistogram: each power of two is cut into STEPS equal parts, so that a bucket is never
 * wider than 1/STEPS of its value. */
#define STEP_BITS 7
#define STEPS (1u << STEP_BITS)
#define POWERS 26
#define BUCKETS (STEPS * POWERS)

static uint64_t counts[BUCKETS];
static uint64_t records;

static unsigned bucket_of(uint64_t us) {
    if (us < STEPS)
        return (unsigned)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - STEP_BITS;
    unsigned bucket = shift * STEPS + (unsigned)(us >> shift);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t lower_bound_us(unsigned bucket) {
    if (bucket < STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    return (uint64_t)(bucket - shift * STEPS) << shift;
}

void histogram_clear(void) {
    memset(counts, 0, sizeof counts);
    records = 0;
}

void histogram_record(uint64_t ns) {
    counts[bucket_of(ns / 1000)]++;
    records++;
}

uint64_t histogram_quantile_us(double share) {
    uint64_t wanted = (uint64_t)((double)records * share), passed = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        passed += counts[bucket];
        if (passed > wanted)
            return lower_bound_us(bucket);
    }
    return 0;
}
