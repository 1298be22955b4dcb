#pragma once

#include <stddef.h>
#include <stdint.h>

struct hp_targets;

/*
 * Where to put the probe of a function, and what a hit costs there (architecture 4.1). Pure, any thread.
 *
 * The kernel emulates a few instructions under a breakpoint and single-steps all others, at twelve times the
 * price on a virtual machine. A return probe only needs the stack pointer of the entry, so the probe moves
 * from the entry down to the first instruction that is emulated, past instructions that
 *   - neither write the stack pointer nor transfer control, so that what follows runs exactly once per call,
 *   - and are not where a jump may come in from elsewhere (probe/targets).
 * A function whose entry the kernel refuses is probed at the first instruction there that it takes.
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

/* How far the walk goes; a function's first HP_SITE_BYTES bytes decide. */
#define HP_SITE_BYTES 64

/* What a probe on the instruction at @code, of which @len bytes are there, means; delta is 0. */
struct hp_site hp_site_at(const uint8_t *code, size_t len);
/* The site of the function whose first @len bytes, at link-time address @addr, are @code. */
struct hp_site hp_site_choose(const uint8_t *code, size_t len, uint64_t addr,
			      const struct hp_targets *targets);
/*
 * The same for reading arguments: also stops at instructions that write an argument register or memory, so that at the
 * site all arguments, and what they point to, are as the caller left them.
 */
struct hp_site hp_site_choose_intact(const uint8_t *code, size_t len, uint64_t addr,
				     const struct hp_targets *targets);
const char *hp_site_class_name(enum hp_site_class class);
