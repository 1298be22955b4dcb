#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Kernel functions by address, from /proc/kallsyms. Immutable; any thread. */
struct hp_kallsyms;

/* 0, -ENODATA (addresses are hidden: kptr_restrict, or no text symbols), -EBADMSG,
 * -E2BIG (over 64 MiB), -ENOMEM. */
int hp_kallsyms_parse(const char *text, size_t len, struct hp_kallsyms **ret_syms);
int hp_kallsyms_read(struct hp_kallsyms **ret_syms);
void hp_kallsyms_free(struct hp_kallsyms *syms);
HP_DEFINE_AUTO(hp_kallsyms)

/* Name of the function that holds @addr, NULL below the first. Borrowed. */
const char *hp_kallsyms_find(const struct hp_kallsyms *syms, uint64_t addr);
