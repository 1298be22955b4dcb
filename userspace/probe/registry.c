#include "probe/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"

struct hp_registry {
	pthread_mutex_t lock;
	struct hp_intern *names; /* id - 1 */
};

int hp_registry_new(struct hp_registry **ret_registry)
{
	HP_AUTO(hp_registry) struct hp_registry *registry = calloc(1, sizeof(*registry));
	int r;

	if (!registry)
		return -ENOMEM;
	pthread_mutex_init(&registry->lock, NULL);
	r = hp_intern_new(&registry->names);
	if (r < 0)
		return r;
	*ret_registry = HP_TAKE_PTR(registry);
	return 0;
}

void hp_registry_free(struct hp_registry *registry)
{
	if (!registry)
		return;
	hp_intern_free(registry->names);
	pthread_mutex_destroy(&registry->lock);
	free(registry);
}

/* "libfoo.so.1+0x1a20" names its module itself. */
static bool names_module(const char *name, const char *module)
{
	size_t len = strlen(module);

	return strncmp(name, module, len) == 0 && strncmp(name + len, "+0x", 3) == 0;
}

int hp_registry_add(struct hp_registry *registry, const char *module, const char *name,
		    uint32_t *ret_id)
{
	char text[1400]; /* names are capped at 1024 bytes, module base names at 255 */
	uint32_t index;
	int len, r;

	if (module && *module && !names_module(name, module))
		len = snprintf(text, sizeof(text), "%s:%s", module, name);
	else
		len = snprintf(text, sizeof(text), "%s", name);
	if ((size_t)len >= sizeof(text))
		len = sizeof(text) - 1;

	pthread_mutex_lock(&registry->lock);
	r = hp_intern_add(registry->names, text, (size_t)len, &index);
	pthread_mutex_unlock(&registry->lock);
	if (r < 0)
		return r;
	*ret_id = index + 1;
	return 0;
}

const char *hp_registry_name(struct hp_registry *registry, uint32_t id)
{
	const char *name = "";

	pthread_mutex_lock(&registry->lock);
	if (id >= 1 && id <= hp_intern_len(registry->names))
		name = hp_intern_text(registry->names, id - 1);
	pthread_mutex_unlock(&registry->lock);
	return name;
}

uint32_t hp_registry_len(struct hp_registry *registry)
{
	uint32_t len;

	pthread_mutex_lock(&registry->lock);
	len = hp_intern_len(registry->names);
	pthread_mutex_unlock(&registry->lock);
	return len;
}
