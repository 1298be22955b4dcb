#include "domains/cpu/cpu_symbols.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "elf/module.h"
#include "probe/registry.h"
#include "target/kallsyms.h"
#include "target/modcache.h"
#include "target/proc.h"
#include "target/target.h"

/* The mappings are read again for an unknown address (dlopen), but not more often than this. */
#define REFRESH_NS 1000000000ull
/* JIT code may give new addresses for ever: then start over. */
#define MAX_CACHED 200000

struct hp_cpu_symbols {
	struct hp_target *target;
	struct hp_modcache *modules;
	struct hp_registry *registry;
	struct hp_kallsyms *kernel;
	bool kernel_tried;
	struct hp_map *cache; /* address * 2 + call -> entity * 2 + known */
	uint64_t refreshed_ns;
	bool frozen;
};

int hp_cpu_symbols_new(pid_t pid, struct hp_modcache *modules, struct hp_registry *registry,
		       struct hp_cpu_symbols **ret_symbols)
{
	HP_AUTO(hp_cpu_symbols) struct hp_cpu_symbols *symbols = calloc(1, sizeof(*symbols));
	int r;

	if (!symbols)
		return -ENOMEM;
	symbols->modules = modules;
	symbols->registry = registry;
	r = hp_map_new(&symbols->cache);
	if (r == 0)
		r = hp_target_open(pid, &symbols->target, NULL);
	if (r < 0)
		return r;
	*ret_symbols = HP_TAKE_PTR(symbols);
	return 0;
}

void hp_cpu_symbols_free(struct hp_cpu_symbols *symbols)
{
	if (!symbols)
		return;
	hp_target_free(symbols->target);
	hp_kallsyms_free(symbols->kernel);
	hp_map_free(symbols->cache);
	free(symbols);
}

static struct hp_cpu_frame frame_of(struct hp_cpu_symbols *symbols, const char *module,
				    const char *name, bool known)
{
	struct hp_cpu_frame frame = {.known = known};

	if (hp_registry_add(symbols->registry, module, name, &frame.entity) < 0)
		frame = (struct hp_cpu_frame){0};
	return frame;
}

static const struct hp_image *image_of(const struct hp_cpu_symbols *symbols,
				       const struct hp_mapping *mapping)
{
	size_t n;
	const struct hp_image *images = hp_target_images(symbols->target, &n);
	uint64_t dev = ((uint64_t)mapping->dev_major << 32) | mapping->dev_minor;

	for (size_t i = 0; i < n; i++) {
		if (images[i].inode == mapping->inode && images[i].dev == dev)
			return &images[i];
	}
	return NULL;
}

static struct hp_cpu_frame frame_in(struct hp_cpu_symbols *symbols,
				    const struct hp_mapping *mapping, uint64_t addr)
{
	const struct hp_image *image = image_of(symbols, mapping);
	struct hp_module *module = NULL;
	uint64_t vaddr;
	struct hp_sym sym;

	if (!image)
		return frame_of(symbols, NULL,
				mapping->path[0] == '[' ? mapping->path : "[anonymous code]",
				false);
	if (hp_modcache_get(symbols->modules, symbols->target, image, &module, NULL) < 0)
		return frame_of(symbols, image->name, "[unknown]", false);
	/* By file offset: right for any number of segments and whatever the loader did (trap:T4). */
	if (!hp_module_vaddr(module, addr - mapping->start + mapping->offset, &vaddr) ||
	    !hp_module_find(module, vaddr, &sym))
		return frame_of(symbols, image->name, "[unknown]", false);
	return frame_of(symbols, image->is_exe ? NULL : image->name, sym.name, true);
}

static const struct hp_mapping *mapping_of(struct hp_cpu_symbols *symbols, uint64_t addr)
{
	const struct hp_mapping *mapping = hp_maps_find(hp_target_maps(symbols->target), addr);
	uint64_t now;

	if (mapping && mapping->exec)
		return mapping;
	now = hp_clock_mono_ns();
	if (symbols->frozen || now - symbols->refreshed_ns < REFRESH_NS)
		return NULL;
	symbols->refreshed_ns = now;
	if (hp_target_refresh_maps(symbols->target) < 0)
		return NULL;
	hp_map_clear(symbols->cache);
	return hp_maps_find(hp_target_maps(symbols->target), addr);
}

static struct hp_cpu_frame resolve_user(struct hp_cpu_symbols *symbols, uint64_t addr)
{
	const struct hp_mapping *mapping = mapping_of(symbols, addr);

	return mapping ? frame_in(symbols, mapping, addr)
		       : frame_of(symbols, NULL, "[unknown]", false);
}

static struct hp_cpu_frame resolve_kernel(struct hp_cpu_symbols *symbols, uint64_t addr)
{
	const char *name;

	if (!symbols->kernel_tried) {
		int r = hp_kallsyms_read(&symbols->kernel);

		symbols->kernel_tried = true;
		if (r < 0)
			hp_log(HP_LOG_INFO, "cpu", "no kernel symbols: %s", hp_err_name(r));
	}
	name = symbols->kernel ? hp_kallsyms_find(symbols->kernel, addr) : NULL;
	return name ? frame_of(symbols, "kernel", name, true)
		    : frame_of(symbols, "kernel", "[unknown]", false);
}

static struct hp_cpu_frame cached(struct hp_cpu_symbols *symbols, uint64_t addr, bool call,
				  struct hp_cpu_frame (*resolve)(struct hp_cpu_symbols *, uint64_t))
{
	uint64_t key = addr << 1 | call, value;
	struct hp_cpu_frame frame;

	if (hp_map_get(symbols->cache, key, &value))
		return (struct hp_cpu_frame){.entity = (uint32_t)(value >> 1), .known = value & 1};
	if (hp_map_len(symbols->cache) > MAX_CACHED)
		hp_map_clear(symbols->cache);
	frame = resolve(symbols, call ? addr - 1 : addr);
	hp_map_put(symbols->cache, key, (uint64_t)frame.entity << 1 | frame.known);
	return frame;
}

const struct hp_target *hp_cpu_symbols_target(const struct hp_cpu_symbols *symbols)
{
	return symbols->target;
}

void hp_cpu_symbols_freeze(struct hp_cpu_symbols *symbols)
{
	symbols->frozen = true;
}

struct hp_cpu_frame hp_cpu_symbols_lost(struct hp_cpu_symbols *symbols)
{
	return frame_of(symbols, NULL, "[unknown]", false);
}

struct hp_cpu_frame hp_cpu_symbols_user(struct hp_cpu_symbols *symbols, uint64_t addr, bool call)
{
	return cached(symbols, addr, call, resolve_user);
}

struct hp_cpu_frame hp_cpu_symbols_kernel(struct hp_cpu_symbols *symbols, uint64_t addr, bool call)
{
	return cached(symbols, addr, call, resolve_kernel);
}
