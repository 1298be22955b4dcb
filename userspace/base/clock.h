#pragma once

#include <stdint.h>

uint64_t hp_clock_mono_ns(void); /* CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns() */
uint64_t hp_clock_wall_ms(void); /* Unix time */
