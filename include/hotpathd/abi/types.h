#pragma once

/* Fixed-width types on both sides: vmlinux.h has them in BPF, where <stdint.h> clashes with it. */
#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

#define HP_ABI_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " changed its size")
