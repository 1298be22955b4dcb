#include "probe/plan_wish.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "elf/module.h"
#include "probe/exits.h"
#include "probe/plan.h"
#include "probe/plan_scan.h"
#include "target/modcache.h"
#include "target/target.h"

const struct hp_plan_wish *hp_plan_wish_at(const struct hp_plan_scan *scan, uint64_t vaddr)
{
	const struct hp_plan_input *input = scan->input;

	for (size_t i = 0; i < input->nwishes; i++) {
		const struct hp_plan_wish *wish = &input->wishes[i];

		if (wish->vaddr == vaddr && wish->dev == scan->image->dev &&
		    wish->inode == scan->image->inode)
			return wish;
	}
	return NULL;
}

static bool is_wished(void *arg, uint64_t vaddr)
{
	return hp_plan_wish_at(arg, vaddr) != NULL;
}

/* Is it a function of any module that is wished for? */
static bool is_wished_at(const struct hp_plan_scan *scan, uint64_t addr)
{
	const struct hp_plan_input *input = scan->input;
	size_t nimages;
	const struct hp_image *images = hp_target_images(input->target, &nimages);

	for (size_t i = 0; i < input->nwishes; i++) {
		const struct hp_plan_wish *wish = &input->wishes[i];

		for (size_t k = 0; k < nimages; k++) {
			struct hp_module *module;

			if (images[k].dev == wish->dev && images[k].inode == wish->inode &&
			    hp_modcache_get(input->modules, input->target, &images[k], &module,
					    NULL) == 0 &&
			    wish->vaddr + hp_target_bias(&images[k], module) == addr)
				return true;
		}
	}
	return false;
}

/* The slot's word in the target's memory: which of several modules a name means, the loader has decided. */
static uint64_t read_slot(void *arg, uint64_t vaddr)
{
	const struct hp_plan_scan *scan = arg;
	HP_AUTO_FD int fd = -1;
	uint64_t word = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", hp_target_pid(scan->input->target));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    pread(fd, &word, sizeof(word), (off_t)(vaddr + scan->image->bias)) != sizeof(word))
		return 0;
	if (hp_plan_wish_at(scan, word - scan->image->bias))
		return word - scan->image->bias;
	return is_wished_at(scan, word) ? HP_EXITS_ELSEWHERE : word - scan->image->bias;
}

int hp_plan_wish_choose(struct hp_plan_scan *scan, const struct hp_sym *sym,
			const struct hp_plan_wish *wish, struct hp_plan_function *function)
{
	const struct hp_exits_links links = {.slot = read_slot, .stops = is_wished, .arg = scan};
	uint32_t flags = scan->plan->preflight.flags;
	struct hp_body body;

	if (wish->entry_only) {
		function->mode = HP_MODE_COUNT;
		return 0;
	}
	if (!wish->unwinds && !(sym->flags & HP_SYM_GO) &&
	    !(flags & (HP_PRE_GO | HP_PRE_NO_RETURN_PROBES))) {
		function->mode = HP_MODE_RETURN;
		return 0;
	}
	hp_exits_follow(scan->module, &scan->text, sym, &links, &body);
	if (body.unclear)
		function->reason = body.unclear;
	else if (!body.nexits)
		function->reason = "it only jumps into others, which are looked at";
	function->passes_on = !body.unclear && !body.nexits;
	if (function->reason)
		return 0;
	function->mode = HP_MODE_EXITS;
	return hp_plan_scan_add_exits(scan, &body, function);
}
