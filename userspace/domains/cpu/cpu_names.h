#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_cpu_stacks;

/*
 * Names of threads, remembered beyond their end and read again every 10 seconds (threads are renamed, and ids come
 * again). One owner.
 */
struct hp_cpu_names;

int hp_cpu_names_new(struct hp_cpu_names **ret_names); /* 0 or -ENOMEM */
void hp_cpu_names_free(struct hp_cpu_names *names);
HP_DEFINE_AUTO(hp_cpu_names)

/* The name of thread @tid into @buf (of @size): 0, or negative errno if it is gone. */
typedef int (*hp_cpu_name_fn)(void *arg, uint32_t tid, char *buf, size_t size);

/* Names the threads of @stacks, which is not sealed yet. */
void hp_cpu_names_fill(struct hp_cpu_names *names, struct hp_cpu_stacks *stacks, uint64_t now_ns,
		       hp_cpu_name_fn read, void *arg);
