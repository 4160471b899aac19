#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Time. Monotonic for durations, Unix time for the world. */
uint64_t clock_monotonic_ns(void);
uint64_t clock_thread_cpu_ns(void); /* what the calling thread had of a processor */
int64_t clock_unix_ms(void);
int64_t clock_unix_us(void);
void clock_sleep_until_ns(uint64_t monotonic_ns);

static inline double clock_ms_since(uint64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / 1e6;
}

/* "2026-11-23T05:31:29.123Z" (UTC). */
enum { CLOCK_TEXT_BYTES = 25 };
void clock_text(int64_t unix_ms, char text[CLOCK_TEXT_BYTES]);

#endif
