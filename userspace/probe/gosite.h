#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/site.h"

struct hp_targets;

/*
 * Where the entry of a Go function is probed (trap:U4). Its first instructions compare the stack pointer with the
 * goroutine's limit; if the stack is too small, or the goroutine is to make room for others, they jump to a call of
 * runtime.morestack, and then the function begins again from its first byte. A probe on the first byte would count such
 * a call twice. So the probe stands on that jump, which the kernel emulates, and the program looks at the flags: a jump
 * that will be taken is no call. Nothing has been pushed before it, and in code of Go 1.17 and later r14 holds
 * the goroutine there. Functions without the check call nothing that begins them again and are probed as any other.
 * Pure; any thread.
 */
struct hp_gosite {
	struct hp_site site;
	bool checks; /* the probe is on the jump of the stack check */
	bool by_r14; /* the check finds the goroutine in r14 */
};

/* Finds the check in a function's @len bytes. False: there is none, *@ret_gosite is as it was. */
bool hp_gosite_check(const uint8_t *code, size_t len, struct hp_gosite *ret_gosite);
/* Of the function whose @len bytes, at link-time address @addr, are @code. */
struct hp_gosite hp_gosite_choose(const uint8_t *code, size_t len, uint64_t addr,
				  const struct hp_targets *targets);
