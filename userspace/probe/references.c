#include "probe/references.h"

#include <errno.h>
#include <stdlib.h>

#include <Zydis/Zydis.h>

#include "base/map.h"
#include "elf/module.h"
#include "probe/text.h"

struct hp_references {
	struct hp_map *counts; /* address to calls << 32 | jumps */
};

void hp_references_free(struct hp_references *references)
{
	if (!references)
		return;
	hp_map_free(references->counts);
	free(references);
}

static int count(struct hp_references *references, uint64_t to, uint64_t one)
{
	uint64_t before = 0;
	int r;

	hp_map_get(references->counts, to, &before);
	r = hp_map_put(references->counts, to, before + one);
	return r < 0 ? r : 0;
}

/* Direct branches of function @sym that leave it; only those to the entry of a function are asked for later. */
static int read_function(struct hp_references *references, const ZydisDecoder *decoder,
			 const struct hp_sym *sym, const uint8_t *code, size_t size)
{
	ZydisDecodedInstruction insn;
	size_t at = 0;
	int r = 0;

	while (at < size && r == 0) {
		uint64_t to;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, code + at, size - at,
								&insn))) {
			at++; /* data */
			continue;
		}
		at += insn.length;
		if (!(insn.attributes & ZYDIS_ATTRIB_IS_RELATIVE) || !insn.raw.imm[0].is_relative)
			continue;
		to = sym->addr + at + (uint64_t)insn.raw.imm[0].value.s;
		if (insn.mnemonic == ZYDIS_MNEMONIC_CALL)
			r = count(references, to, 1ull << 32);
		else if (to < sym->addr || to - sym->addr >= sym->size)
			r = count(references, to, 1);
	}
	return r;
}

int hp_references_build(const struct hp_module *module, const struct hp_text *text,
			struct hp_references **ret_references)
{
	HP_AUTO(hp_references) struct hp_references *references = calloc(1, sizeof(*references));
	int r = references ? hp_map_new(&references->counts) : -ENOMEM;
	size_t nsyms = hp_module_nsyms(module);
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t i = 0; i < nsyms && r == 0; i++) {
		const uint8_t *code;
		struct hp_sym sym;
		size_t left = 0;

		hp_module_sym(module, i, &sym);
		code = hp_text_at(text, sym.addr, &left);
		if (code)
			r = read_function(references, &decoder, &sym, code,
					  left < sym.size ? left : sym.size);
	}
	if (r < 0)
		return r;
	*ret_references = HP_TAKE_PTR(references);
	return 0;
}

struct hp_reference hp_references_to(const struct hp_references *references, uint64_t vaddr)
{
	uint64_t counts = 0;

	hp_map_get(references->counts, vaddr, &counts);
	return (struct hp_reference){(uint32_t)(counts >> 32), (uint32_t)counts};
}
