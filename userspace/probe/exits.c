#include "probe/exits.h"

#include <string.h>

#include "elf/module.h"
#include "probe/site.h"
#include "probe/targets.h"
#include "probe/text.h"

#define MAX_COLD 8

struct finder {
	const struct hp_module *module;
	const struct hp_text *text;
	const struct hp_targets *targets;
	const struct hp_sym *sym;
	struct hp_sym cold[MAX_COLD]; /* cold parts that were jumped to, scanned in this order */
	size_t ncold;
};

/* A stub of the procedure linkage table: [endbr64] [bnd] jmp *address(%rip). */
static bool is_plt_stub(const struct hp_text *text, uint64_t addr)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	size_t left;
	const uint8_t *code = hp_text_at(text, addr, &left);

	if (!code || left < 16)
		return false;
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		code += sizeof(endbr64);
	if (*code == 0xf2)
		code++;
	return code[0] == 0xff && code[1] == 0x25;
}

static bool remember_cold(struct finder *finder, const struct hp_sym *cold)
{
	for (size_t i = 0; i < finder->ncold; i++) {
		if (finder->cold[i].addr == cold->addr)
			return true;
	}
	if (finder->ncold == MAX_COLD)
		return false;
	finder->cold[finder->ncold++] = *cold;
	return true;
}

static enum hp_body_place place(void *arg, uint64_t addr)
{
	struct finder *finder = arg;
	struct hp_sym sym;

	/* From a cold part back into the function. */
	if (addr >= finder->sym->addr && addr - finder->sym->addr < finder->sym->size)
		return HP_PLACE_OWN;
	if (!hp_module_find(finder->module, addr, &sym))
		return is_plt_stub(finder->text, addr) ? HP_PLACE_ENTRY : HP_PLACE_OTHER;
	/* A nameless part is nobody's but that function's that jumps there. */
	if (sym.flags & HP_SYM_COLD)
		return (sym.flags & HP_SYM_FRAME || strcmp(sym.name, finder->sym->name) == 0) &&
				       remember_cold(finder, &sym)
			       ? HP_PLACE_OWN
			       : HP_PLACE_OTHER;
	if (sym.flags & HP_SYM_FRAME && !hp_targets_prove_entry(finder->targets, addr))
		return HP_PLACE_OTHER;
	return sym.addr == addr ? HP_PLACE_ENTRY : HP_PLACE_OTHER;
}

static void scan(struct finder *finder, const struct hp_sym *part, struct hp_body *body)
{
	struct hp_body_code code = {
		.addr = part->addr, .size = part->size, .place = place, .arg = finder};
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

void hp_exits_find(const struct hp_module *module, const struct hp_text *text,
		   const struct hp_targets *targets, const struct hp_sym *sym,
		   struct hp_body *ret_body)
{
	struct finder finder = {.module = module, .text = text, .targets = targets, .sym = sym};

	*ret_body = (struct hp_body){.leaf = true};
	scan(&finder, sym, ret_body);
	for (size_t i = 0; i < finder.ncold; i++)
		scan(&finder, &finder.cold[i], ret_body);
	if (finder.ncold)
		ret_body->leaf = false;
	check_sites(text, ret_body);
}
