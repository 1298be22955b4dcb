#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Strings to dense ids 0, 1, 2 ... Strings are copied, live as long as the table and end in NUL.
 * Not thread-safe.
 */
struct hp_intern;

int hp_intern_new(struct hp_intern **ret_intern); /* 0 or -ENOMEM */
void hp_intern_free(struct hp_intern *intern);
HP_DEFINE_AUTO(hp_intern)

/* 0 = new, 1 = known already, -ENOMEM, -E2BIG (more than 2^32-1 strings). */
int hp_intern_add(struct hp_intern *intern, const char *text, size_t len, uint32_t *ret_id);
bool hp_intern_find(const struct hp_intern *intern, const char *text, size_t len, uint32_t *ret_id);
const char *hp_intern_text(const struct hp_intern *intern, uint32_t id); /* @id must be known */
uint32_t hp_intern_len(const struct hp_intern *intern);
