#include "target/modcache.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "elf/module.h"
#include "target/target.h"

struct entry {
	uint64_t dev, inode;
	struct hp_module *module; /* NULL: failed */
	struct hp_err err;
};

struct hp_modcache {
	pthread_mutex_t lock;
	HP_VEC(struct entry) entries;
};

int hp_modcache_new(struct hp_modcache **ret_cache)
{
	struct hp_modcache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	pthread_mutex_init(&cache->lock, NULL);
	*ret_cache = cache;
	return 0;
}

void hp_modcache_free(struct hp_modcache *cache)
{
	if (!cache)
		return;
	hp_vec_each(entry, &cache->entries)
		hp_module_free(entry->module);
	hp_vec_free(&cache->entries);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void load(const struct hp_target *target, const struct hp_image *image, struct entry *entry)
{
	HP_AUTO_FD int fd = hp_target_open_image(target, image);

	if (fd < 0) {
		hp_err_set(&entry->err, fd, "cannot open %s: %s", image->path, hp_err_name(fd));
		return;
	}
	hp_module_load(fd, image->name, &entry->module, &entry->err);
}

static struct entry *find(struct hp_modcache *cache, const struct hp_image *image)
{
	hp_vec_each(entry, &cache->entries) {
		if (entry->dev == image->dev && entry->inode == image->inode)
			return entry;
	}
	return NULL;
}

int hp_modcache_get(struct hp_modcache *cache, const struct hp_target *target,
		    const struct hp_image *image, struct hp_module **ret_module, struct hp_err *err)
{
	struct entry *entry;
	int r = 0;

	pthread_mutex_lock(&cache->lock);
	entry = find(cache, image);
	if (!entry) {
		struct entry fresh = {.dev = image->dev, .inode = image->inode};

		load(target, image, &fresh);
		r = hp_vec_push(&cache->entries, fresh);
		if (r < 0)
			hp_module_free(fresh.module);
		else
			entry = &cache->entries.data[cache->entries.len - 1];
	}
	if (entry && entry->module) {
		*ret_module = entry->module;
	} else if (entry) {
		r = entry->err.code;
		if (err)
			*err = entry->err;
	}
	pthread_mutex_unlock(&cache->lock);
	return r;
}
