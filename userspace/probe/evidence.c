#include "probe/evidence.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "elf/facts.h"
#include "elf/module.h"
#include "probe/references.h"
#include "probe/text.h"
#include "target/modcache.h"
#include "target/select.h"
#include "target/target.h"

/* More are left out; a target with that many files is none that a person reads a list of. */
#define MAX_IMAGES 1024
#define MAX_WANTS  4

struct entry {
	struct hp_image image; /* with a path of its own */
	struct hp_module *module;
	struct hp_facts *facts;
	struct hp_references *references;
	struct hp_err failure;
	/* enum hp_evidence_state; released after what it speaks of, acquired before it is read. */
	atomic_int state;
};

struct hp_evidence {
	struct hp_target *target;
	struct hp_modcache *modules;
	struct entry *entries[MAX_IMAGES];
	atomic_size_t len; /* released after the entry */
	const struct hp_select *wants[MAX_WANTS];
	size_t nwants;
	atomic_bool interrupted;
};

static bool is_wanted(const struct hp_evidence *evidence, const struct hp_image *image)
{
	if (image->is_exe)
		return true;
	for (size_t i = 0; i < evidence->nwants; i++) {
		const struct hp_select *wants = evidence->wants[i];

		for (size_t k = 0; wants && k < hp_select_len(wants); k++) {
			if (hp_select_wants_module(wants, k, image->name, false))
				return true;
		}
	}
	return false;
}

static void entry_free(struct entry *entry)
{
	if (!entry)
		return;
	free(entry->image.path);
	hp_facts_free(entry->facts);
	hp_references_free(entry->references);
	free(entry);
}

static int add(struct hp_evidence *evidence, const struct hp_image *image)
{
	size_t len = atomic_load(&evidence->len);
	struct entry *entry = calloc(1, sizeof(*entry));
	const char *slash;
	int r;

	if (!entry)
		return -ENOMEM;
	entry->image = *image;
	entry->image.path = strdup(image->path);
	if (!entry->image.path) {
		free(entry);
		return -ENOMEM;
	}
	slash = strrchr(entry->image.path, '/');
	entry->image.name = slash ? slash + 1 : entry->image.path;
	r = hp_modcache_get(evidence->modules, evidence->target, &entry->image, &entry->module,
			    &entry->failure);
	if (r == -ENOMEM) {
		entry_free(entry);
		return r;
	}
	atomic_init(&entry->state, r < 0                                ? HP_EVIDENCE_FAILED
				   : is_wanted(evidence, &entry->image) ? HP_EVIDENCE_UNREAD
									: HP_EVIDENCE_UNWANTED);
	evidence->entries[len] = entry;
	atomic_store_explicit(&evidence->len, len + 1, memory_order_release);
	return 0;
}

bool hp_evidence_has(const struct hp_evidence *evidence, uint64_t dev, uint64_t inode)
{
	size_t len = hp_evidence_len(evidence);

	for (size_t i = 0; i < len; i++) {
		if (evidence->entries[i]->image.dev == dev &&
		    evidence->entries[i]->image.inode == inode)
			return true;
	}
	return len == MAX_IMAGES;
}

int hp_evidence_extend(struct hp_evidence *evidence)
{
	size_t len;
	const struct hp_image *images = hp_target_images(evidence->target, &len);
	int r = 0;

	for (size_t i = 0; i < len && r == 0; i++) {
		if (!hp_evidence_has(evidence, images[i].dev, images[i].inode))
			r = add(evidence, &images[i]);
	}
	return r;
}

int hp_evidence_new(struct hp_target *target, struct hp_modcache *modules,
		    const struct hp_select *const *wants, size_t nwants,
		    struct hp_evidence **ret_evidence)
{
	HP_AUTO(hp_evidence) struct hp_evidence *evidence = calloc(1, sizeof(*evidence));
	int r;

	if (!evidence)
		return -ENOMEM;
	evidence->target = target;
	evidence->modules = modules;
	for (size_t i = 0; i < nwants && i < MAX_WANTS; i++)
		evidence->wants[evidence->nwants++] = wants[i];
	r = hp_evidence_extend(evidence);
	if (r < 0)
		return r;
	*ret_evidence = HP_TAKE_PTR(evidence);
	return 0;
}

void hp_evidence_free(struct hp_evidence *evidence)
{
	if (!evidence)
		return;
	for (size_t i = 0; i < evidence->len; i++)
		entry_free(evidence->entries[i]);
	free(evidence);
}

static void read_references(struct entry *entry, int fd)
{
	struct hp_text text = {0};
	int r = hp_text_read(fd, entry->module, &text);

	if (r == 0)
		r = hp_references_build(entry->module, &text, &entry->references);
	if (r < 0)
		hp_log(HP_LOG_INFO, "plan", "no references in %s: %s", entry->image.name,
		       hp_err_name(r));
	hp_text_deinit(&text);
}

static void read_image(struct hp_evidence *evidence, struct entry *entry)
{
	HP_AUTO_FD int fd = hp_target_open_image(evidence->target, &entry->image);
	const int debug_fd = hp_module_debug_fd(entry->module);
	int r = fd;

	if (fd < 0)
		hp_err_set(&entry->failure, fd, "cannot open %s: %s", entry->image.name,
			   hp_err_name(fd));
	else
		r = hp_facts_load(debug_fd >= 0 ? debug_fd : fd, entry->image.name, &entry->facts,
				  &entry->failure);
	if (r >= 0)
		read_references(entry, fd);
	else
		hp_log(HP_LOG_INFO, "plan", "%s", entry->failure.text);
	atomic_store_explicit(&entry->state, r < 0 ? HP_EVIDENCE_FAILED : HP_EVIDENCE_READ,
			      memory_order_release);
}

void hp_evidence_read(struct hp_evidence *evidence)
{
	for (size_t i = 0; i < hp_evidence_len(evidence); i++) {
		struct entry *entry = evidence->entries[i];

		if (atomic_load(&evidence->interrupted))
			return;
		if (atomic_load_explicit(&entry->state, memory_order_acquire) == HP_EVIDENCE_UNREAD)
			read_image(evidence, entry);
	}
}

void hp_evidence_interrupt(struct hp_evidence *evidence)
{
	atomic_store(&evidence->interrupted, true);
	hp_facts_interrupt();
}

size_t hp_evidence_len(const struct hp_evidence *evidence)
{
	return atomic_load_explicit(&evidence->len, memory_order_acquire);
}

struct hp_evidence_image hp_evidence_image(const struct hp_evidence *evidence, size_t i)
{
	struct entry *entry = evidence->entries[i];
	struct hp_evidence_image image = {
		.name = entry->image.name,
		.is_exe = entry->image.is_exe,
		.module = entry->module,
		.state = (enum hp_evidence_state)atomic_load_explicit(&entry->state,
								      memory_order_acquire),
	};

	if (image.state == HP_EVIDENCE_READ) {
		image.facts = entry->facts;
		image.references = entry->references;
	} else if (image.state == HP_EVIDENCE_FAILED) {
		image.failure = entry->failure.text;
	}
	return image;
}

bool hp_evidence_complete(const struct hp_evidence *evidence)
{
	for (size_t i = 0; i < hp_evidence_len(evidence); i++) {
		if (hp_evidence_image(evidence, i).state == HP_EVIDENCE_UNREAD)
			return false;
	}
	return true;
}
