#include "probe/exits.h"

#include <string.h>

#include "elf/module.h"
#include "probe/site.h"
#include "probe/targets.h"
#include "probe/text.h"

#define MAX_PARTS 16

struct finder {
	const struct hp_module *module;
	const struct hp_text *text;
	const struct hp_targets *targets;
	const struct hp_sym *sym;
	const struct hp_exits_links *links; /* hp_exits_follow() only */
	struct hp_sym parts[MAX_PARTS];     /* that were jumped to, scanned in this order */
	size_t nparts;
};

/* A stub of the procedure linkage table, [endbr64] [bnd] jmp *address(%rip): the address, of its slot. */
static bool is_plt_stub(const struct hp_text *text, uint64_t addr, uint64_t *ret_slot)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	size_t left;
	const uint8_t *start = hp_text_at(text, addr, &left), *code = start;
	int32_t distance;

	if (!code || left < 16)
		return false;
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		code += sizeof(endbr64);
	if (*code == 0xf2)
		code++;
	if (code[0] != 0xff || code[1] != 0x25)
		return false;
	memcpy(&distance, code + 2, sizeof(distance));
	*ret_slot = addr + (uint64_t)(code - start) + 6 + (uint64_t)(int64_t)distance;
	return true;
}

static bool remember(struct finder *finder, const struct hp_sym *part)
{
	for (size_t i = 0; i < finder->nparts; i++) {
		if (finder->parts[i].addr == part->addr)
			return true;
	}
	if (finder->nparts == MAX_PARTS)
		return false;
	finder->parts[finder->nparts++] = *part;
	return true;
}

static enum hp_body_place place(void *arg, uint64_t addr)
{
	struct finder *finder = arg;
	struct hp_sym sym;
	uint64_t slot;

	/* From a cold part back into the function. */
	if (addr >= finder->sym->addr && addr - finder->sym->addr < finder->sym->size)
		return HP_PLACE_OWN;
	if (!hp_module_find(finder->module, addr, &sym))
		return is_plt_stub(finder->text, addr, &slot) ? HP_PLACE_ENTRY : HP_PLACE_OTHER;
	/* A nameless part is nobody's but that function's that jumps there. */
	if (sym.flags & HP_SYM_COLD)
		return (sym.flags & HP_SYM_FRAME || strcmp(sym.name, finder->sym->name) == 0) &&
				       remember(finder, &sym)
			       ? HP_PLACE_OWN
			       : HP_PLACE_OTHER;
	if (sym.flags & HP_SYM_FRAME && !hp_targets_prove_entry(finder->targets, addr))
		return HP_PLACE_OTHER;
	return sym.addr == addr ? HP_PLACE_ENTRY : HP_PLACE_OTHER;
}

/* The same for hp_exits_follow(): all that can be followed is its own. */
static enum hp_body_place follow(void *arg, uint64_t addr)
{
	struct finder *finder = arg;
	const struct hp_exits_links *links = finder->links;
	struct hp_sym sym;
	uint64_t slot;
	bool found;

	if (addr >= finder->sym->addr && addr - finder->sym->addr < finder->sym->size)
		return HP_PLACE_OWN;
	if (is_plt_stub(finder->text, addr, &slot)) {
		addr = links->slot(links->arg, slot);
		if (addr == HP_EXITS_ELSEWHERE)
			return HP_PLACE_OWN;
		/* Before its first call a slot leads to the linkage table itself, which is no function. */
		found = addr && hp_module_find(finder->module, addr, &sym) && sym.addr == addr;
	} else {
		found = hp_module_find(finder->module, addr, &sym);
	}
	if (!found)
		return HP_PLACE_OTHER;
	return links->stops(links->arg, addr) || remember(finder, &sym) ? HP_PLACE_OWN
									: HP_PLACE_OTHER;
}

static void scan(struct finder *finder, const struct hp_sym *part, struct hp_body *body)
{
	struct hp_body_code code = {
		.addr = part->addr,
		.size = part->size,
		.place = finder->links ? follow : place,
		.arg = finder,
	};
	size_t left = 0;

	code.data = hp_text_at(finder->text, part->addr, &left);
	if (!code.data || left < part->size) {
		body->unclear = "its code is not in the file";
		body->leaf = false;
		return;
	}
	hp_body_scan(&code, body);
}

static void check_sites(const struct hp_text *text, struct hp_body *body)
{
	for (size_t i = 0; i < body->nexits; i++) {
		size_t left = 0;
		const uint8_t *code = hp_text_at(text, body->exits[i], &left);

		if (hp_site_at(code, left).class == HP_SITE_REFUSED) {
			body->unclear = "the kernel refuses a probe on one of its exits";
			body->leaf = false;
			return;
		}
	}
}

static void find(struct finder *finder, struct hp_body *ret_body)
{
	*ret_body = (struct hp_body){.leaf = true};
	scan(finder, finder->sym, ret_body);
	for (size_t i = 0; i < finder->nparts; i++)
		scan(finder, &finder->parts[i], ret_body);
	if (finder->nparts)
		ret_body->leaf = false;
	check_sites(finder->text, ret_body);
}

void hp_exits_find(const struct hp_module *module, const struct hp_text *text,
		   const struct hp_targets *targets, const struct hp_sym *sym,
		   struct hp_body *ret_body)
{
	struct finder finder = {.module = module, .text = text, .targets = targets, .sym = sym};

	find(&finder, ret_body);
}

void hp_exits_follow(const struct hp_module *module, const struct hp_text *text,
		     const struct hp_sym *sym, const struct hp_exits_links *links,
		     struct hp_body *ret_body)
{
	struct finder finder = {.module = module, .text = text, .sym = sym, .links = links};

	find(&finder, ret_body);
}
