/* A histogram of latencies that is exact to 1 %, from 1 µs to more than an hour. */
#pragma once
#include <stdint.h>

void histogram_clear(void);
void histogram_record(uint64_t ns);

/* The latency, in µs, that `share` (0 to 1) of all records stay below; 0 without records. */
uint64_t histogram_quantile_us(double share);
