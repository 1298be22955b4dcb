#pragma once

#include <stddef.h>

#include "base/cleanup.h"

struct hp_err;
struct hp_image;
struct hp_module;
struct hp_target;

/*
 * Indexed modules of one target by (device, inode), so that attribution and planning parse each file
 * once. A stripped file is completed by its separate debug file where there is one, or where one comes by build-id
 * (target/debuginfod.h): then a later call gives another module, and the one before stays valid. Failures are
 * remembered too, with their sentence. Any thread (own lock; a load holds it).
 */
struct hp_modcache;

int hp_modcache_new(struct hp_modcache **ret_cache); /* 0 or -ENOMEM */
void hp_modcache_free(struct hp_modcache *cache);
HP_DEFINE_AUTO(hp_modcache)

/* The module of @image, borrowed for the life of the cache, or the error of hp_module_load(). Blocks. */
int hp_modcache_get(struct hp_modcache *cache, const struct hp_target *target,
		    const struct hp_image *image, struct hp_module **ret_module,
		    struct hp_err *err);

#define HP_MODCACHE_NAMES 512

/* Where the executable's names come from, or why there are none; "" = from itself, or not loaded yet. Never blocks. */
void hp_modcache_names(struct hp_modcache *cache, char *buf, size_t size);
/* What debug files were asked for by build-id and what came; "" = none. Never blocks. */
void hp_modcache_asked(struct hp_modcache *cache, char *buf, size_t size);
/* How many of them have come: when it grows, modules may have better names than before. Never blocks. */
unsigned hp_modcache_came(const struct hp_modcache *cache);
