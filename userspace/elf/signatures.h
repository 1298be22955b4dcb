#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/signature.h"

struct hp_err;

/*
 * Signatures of some functions of one ELF file, from its debug information. Read in the sandbox child like all that
 * libdw does (architecture 4.7), once, for the functions that --args names without types. Immutable once loaded.
 *
 * The child hands them back as: magic u32, flags u32, n u32, 0 u32, and n times {addr u64, nparams u8, more u8, has_result u8,
 * 0 u8, HP_SIGNATURE_PARAMS + 1 values (the result last) of {type, bytes, word, length, gap, text: u8}}.
 */
enum hp_signatures_flags {
	HP_SIGNATURES_DWARF = 1 << 0,   /* there is debug information */
	HP_SIGNATURES_PARTIAL = 1 << 1, /* over a cap: some are missing */
	HP_SIGNATURES_SPLIT = 1 << 2,   /* some of it is in other files, which are not read */
};

struct hp_signature_at { /* by addr */
	uint64_t addr;
	struct hp_signature signature;
};

struct hp_signatures {
	uint32_t flags;
	HP_VEC(struct hp_signature_at) list;
};

/* A wanted function; sorted by addr. */
struct hp_signature_want {
	uint64_t addr; /* link-time, of the entry */
	uint64_t
		clone; /* 1: the compiler made it from another, with other parameters (HP_SYM_CLONE) */
};

#define HP_SIGNATURES_MAX 65536u

/*
 * Reads @fd (not closed) in the sandbox. 0, or a negative errno with the sentence in *@err. Blocks up to 20 s: never on the
 * engine thread.
 */
int hp_signatures_load(int fd, const char *name, const struct hp_signature_want *wants, size_t n,
		       struct hp_signatures **ret_signatures, struct hp_err *err);
void hp_signatures_free(struct hp_signatures *signatures);
HP_DEFINE_AUTO(hp_signatures)
void hp_signatures_deinit(struct hp_signatures *signatures);

/* NULL: not known. */
const struct hp_signature *hp_signatures_at(const struct hp_signatures *signatures, uint64_t addr);

/* For both sides of the sandbox. Caller frees: 0 or -ENOMEM. */
int hp_signatures_write(const struct hp_signatures *signatures, void **ret_data, size_t *ret_size);
/* 0, -EBADMSG or -ENOMEM; *@ret_signatures is to be deinitialised only after 0. */
int hp_signatures_read(const void *data, size_t size, struct hp_signatures *ret_signatures);
