// SPDX-License-Identifier: MIT OR GPL-2.0
#include "lib/maps.bpf.h"
#include "lib/shadows.bpf.h"
#include "lib/unwind_maps.bpf.h"

/* Creates the shared maps; see lib/maps.bpf.h. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
