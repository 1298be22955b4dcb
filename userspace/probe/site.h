#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Where to put the probe of a function, and what a hit costs there (architecture 4.1). This version
 * stays at the entry and says what the first instruction means; pure, any thread.
 */
enum hp_site_class {
	HP_SITE_EMULATED, /* push, nop, near jmp, jcc, call: the kernel emulates it, one trap */
	HP_SITE_STEPPED,  /* single-stepped out of line, two traps */
	HP_SITE_REFUSED,
};

struct hp_site {
	enum hp_site_class class;
	uint32_t delta;     /* bytes from the function's entry to the probed instruction */
	const char *reason; /* why REFUSED; static text */
};

/* Enough bytes for any first instruction. */
#define HP_SITE_BYTES 16

/* @code: the function's first @len bytes. */
struct hp_site hp_site_choose(const uint8_t *code, size_t len);
const char *hp_site_class_name(enum hp_site_class class);
