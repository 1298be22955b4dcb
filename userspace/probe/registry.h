#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Entities: what a row of a function list stands for. Dense ids from 1, stable for life, one per
 * displayed name, shared by all domains (wire contract 5.2). Displayed names: the function's name for the
 * executable, "libfoo.so.1:name" for a library, "libfoo.so.1+0x1a20" for one of its
 * functions without a name, "kernel:name" for the kernel. Functions of one module that
 * share a name (static functions of several files) are one entity. Any thread (own lock).
 */
struct hp_registry;

int hp_registry_new(struct hp_registry **ret_registry); /* 0 or -ENOMEM */
void hp_registry_free(struct hp_registry *registry);
HP_DEFINE_AUTO(hp_registry)

/* @module NULL or "" = the executable. 0 or -ENOMEM. */
int hp_registry_add(struct hp_registry *registry, const char *module, const char *name,
		    uint32_t *ret_id);
/* Valid for the life of the registry; "" for an unknown id. */
const char *hp_registry_name(struct hp_registry *registry, uint32_t id);
uint32_t hp_registry_len(struct hp_registry *registry); /* ids are 1 ... len */
