#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Text of /tmp/perf-PID.map: lines "START SIZE NAME", hexadecimal without 0x, the name to the end of the line
 * (Linux: tools/perf/Documentation/jit-interface.txt). It is the target's, and grows while it runs. Names are kept as
 * they are, but for what could steer a terminal (hp_utf8_tame()), and cut to 1023 bytes. Pure; not thread-safe.
 */
struct hp_perfmap;

#define HP_PERFMAP_MAX_LINES 1000000u
#define HP_PERFMAP_MAX_NAMES (64u << 20) /* bytes in all */
#define HP_PERFMAP_WINDOW    (1u << 20)  /* a longer line is skipped */

int hp_perfmap_new(struct hp_perfmap **ret_map); /* 0 or -ENOMEM */
void hp_perfmap_free(struct hp_perfmap *map);
HP_DEFINE_AUTO(hp_perfmap)

/*
 * @text is what follows in the file, up to HP_PERFMAP_WINDOW of it. *@ret_taken bytes are done with, the rest is a line
 * whose end is still to be written and belongs to the next text. 0, -E2BIG (over a cap: nothing more is taken)
 * or -ENOMEM.
 */
int hp_perfmap_feed(struct hp_perfmap *map, const char *text, size_t len, size_t *ret_taken);
/* The name that was given last to @addr, NULL if none. Borrowed. */
const char *hp_perfmap_find(const struct hp_perfmap *map, uint64_t addr);
uint64_t hp_perfmap_bad_lines(const struct hp_perfmap *map); /* skipped, as they do not parse */
