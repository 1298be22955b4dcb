#include "probe/targets.h"

#include <errno.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "base/vec.h"
#include "elf/module.h"
#include "probe/text.h"

#define MAX_TABLE 65536 /* entries of one jump table */
#define VAGUE_BYTES \
	64 /* of a vague function that count as targets: more than a site is ever away */

struct hp_targets {
	size_t nsegments;
	struct {
		uint64_t vaddr, size;
		uint8_t *bits;   /* one per byte of code */
		uint8_t *proven; /* of these, where a call or a pointer leads */
	} segments[HP_TEXT_MAX_SEGMENTS];
	HP_VEC(uint64_t)
	loops; /* functions that jump to their own entry, ascending in each segment */
};

/* One function, or the code between two of them, while it is read. */
struct sweep {
	const struct hp_text *text;
	struct hp_targets *targets;
	uint64_t start, end;
	bool jumps_by_register, loads_own_address;
	bool has_frame, branches_to_entry, jumps_to_entry;
	HP_VEC(uint64_t) bases; /* addresses of data that the function loads */
	int error;
};

static void sweep_end(struct sweep *sweep)
{
	hp_vec_free(&sweep->bases);
}

/* False: not in the module's code. */
static bool mark(struct hp_targets *targets, uint64_t vaddr, bool proves_entry)
{
	for (size_t i = 0; i < targets->nsegments; i++) {
		uint64_t at = vaddr - targets->segments[i].vaddr;

		if (vaddr < targets->segments[i].vaddr || at >= targets->segments[i].size)
			continue;
		targets->segments[i].bits[at / 8] |= (uint8_t)(1u << at % 8);
		if (proves_entry)
			targets->segments[i].proven[at / 8] |= (uint8_t)(1u << at % 8);
		return true;
	}
	return false;
}

bool hp_targets_has(const struct hp_targets *targets, uint64_t vaddr)
{
	for (size_t i = 0; i < targets->nsegments; i++) {
		uint64_t at = vaddr - targets->segments[i].vaddr;

		if (vaddr >= targets->segments[i].vaddr && at < targets->segments[i].size)
			return targets->segments[i].bits[at / 8] & 1u << at % 8;
	}
	return true;
}

bool hp_targets_prove_entry(const struct hp_targets *targets, uint64_t vaddr)
{
	for (size_t i = 0; i < targets->nsegments; i++) {
		uint64_t at = vaddr - targets->segments[i].vaddr;

		if (vaddr >= targets->segments[i].vaddr && at < targets->segments[i].size)
			return targets->segments[i].proven[at / 8] & 1u << at % 8;
	}
	return false;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

bool hp_targets_loops(const struct hp_targets *targets, uint64_t vaddr)
{
	return targets->loops.len &&
	       bsearch(&vaddr, targets->loops.data, targets->loops.len, sizeof(vaddr), by_address);
}

static void take_branch(struct sweep *sweep, const ZydisDecodedInstruction *insn, uint64_t target)
{
	mark(sweep->targets, target, insn->mnemonic == ZYDIS_MNEMONIC_CALL);
	if (target != sweep->start || insn->mnemonic == ZYDIS_MNEMONIC_CALL)
		return;
	if (insn->mnemonic == ZYDIS_MNEMONIC_JMP)
		sweep->jumps_to_entry = true;
	else
		sweep->branches_to_entry = true;
}

/* push, or sub from rsp. */
static bool makes_frame(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_PUSH ||
	       (insn->mnemonic == ZYDIS_MNEMONIC_SUB && insn->raw.modrm.mod == 3 &&
		insn->raw.modrm.rm == 4 && !insn->raw.rex.B);
}

/*
 * Is the entry just read the head of a loop? A jump to it from behind a frame is none: the frame is gone, so the jump
 * is a tail call of the function by itself, or of a function without a symbol (libc's malloc has one).
 */
static void take_loop(struct sweep *sweep)
{
	if ((sweep->branches_to_entry || (sweep->jumps_to_entry && !sweep->has_frame)) &&
	    hp_vec_push(&sweep->targets->loops, sweep->start) < 0)
		sweep->error = -ENOMEM;
	sweep->has_frame = sweep->branches_to_entry = sweep->jumps_to_entry = false;
}

static void take_address(struct sweep *sweep, uint64_t addr)
{
	size_t left;

	if (mark(sweep->targets, addr, true)) {
		if (addr > sweep->start && addr < sweep->end)
			sweep->loads_own_address = true;
	} else if (hp_text_data_at(sweep->text, addr, &left)) {
		if (hp_vec_push(&sweep->bases, addr) < 0)
			sweep->error = -ENOMEM;
	}
}

static void take(struct sweep *sweep, const ZydisDecodedInstruction *insn, uint64_t next)
{
	const bool by_rip = insn->attributes & ZYDIS_ATTRIB_HAS_MODRM && insn->raw.modrm.mod == 0 &&
			    insn->raw.modrm.rm == 5;

	if (insn->attributes & ZYDIS_ATTRIB_IS_RELATIVE && insn->raw.imm[0].is_relative)
		take_branch(sweep, insn, next + (uint64_t)insn->raw.imm[0].value.s);
	else if (insn->mnemonic == ZYDIS_MNEMONIC_LEA && by_rip)
		take_address(sweep, next + (uint64_t)insn->raw.disp.value);
	else if (insn->raw.imm[0].size >= 32 && !insn->raw.imm[0].is_relative)
		take_address(sweep, insn->raw.imm[0].value.u);
	if (insn->mnemonic == ZYDIS_MNEMONIC_JMP && insn->opcode == 0xff)
		sweep->jumps_by_register = true;
	if (makes_frame(insn))
		sweep->has_frame = true;
}

static void take_table(struct sweep *sweep, uint64_t base)
{
	size_t left = 0;
	const uint8_t *data = hp_text_data_at(sweep->text, base, &left);
	int32_t offset;

	for (size_t i = 0; i < MAX_TABLE && left >= sizeof(offset); i++) {
		memcpy(&offset, data, sizeof(offset));
		if (!mark(sweep->targets, base + (uint64_t)(int64_t)offset, false))
			return;
		data += sizeof(offset);
		left -= sizeof(offset);
	}
}

/* Of an indirect jump in the code just read. */
static void take_tables(struct sweep *sweep)
{
	if (sweep->jumps_by_register) {
		hp_vec_each(base, &sweep->bases)
			take_table(sweep, *base);
		for (uint64_t at = 0; sweep->loads_own_address && at < VAGUE_BYTES; at++)
			mark(sweep->targets, sweep->start + at, false);
	}
	sweep->bases.len = 0;
	sweep->jumps_by_register = sweep->loads_own_address = false;
}

static void sweep_range(struct sweep *sweep, const ZydisDecoder *decoder,
			const struct hp_text_segment *segment)
{
	ZydisDecodedInstruction insn;
	uint64_t at = sweep->start;

	while (at < sweep->end) {
		const uint8_t *code = segment->data + (at - segment->vaddr);
		size_t left = (size_t)(sweep->end - at);

		if (!ZYAN_SUCCESS(
			    ZydisDecoderDecodeInstruction(decoder, NULL, code, left, &insn))) {
			at++; /* data, or padding cut by the next symbol */
			continue;
		}
		at += insn.length;
		take(sweep, &insn, at);
	}
	take_tables(sweep);
	take_loop(sweep);
}

/* From symbol to symbol; what lies before the first and behind the last is read, too. */
static void sweep_segment(struct sweep *sweep, const ZydisDecoder *decoder,
			  const struct hp_module *module, const struct hp_text_segment *segment)
{
	size_t nsyms = hp_module_nsyms(module);
	uint64_t end = segment->vaddr + segment->size;

	sweep->start = segment->vaddr;
	for (size_t i = 0; i < nsyms; i++) {
		struct hp_sym sym;

		hp_module_sym(module, i, &sym);
		if (sym.addr <= sweep->start || sym.addr >= end)
			continue;
		sweep->end = sym.addr;
		sweep_range(sweep, decoder, segment);
		sweep->start = sym.addr;
	}
	sweep->end = end;
	sweep_range(sweep, decoder, segment);
}

/* Aligned words that point into code. */
static void take_words(struct hp_targets *targets, const struct hp_text_segment *segment)
{
	uint64_t at = (8 - segment->vaddr % 8) % 8, word;

	for (; at + sizeof(word) <= segment->size; at += sizeof(word)) {
		memcpy(&word, segment->data + at, sizeof(word));
		if (word)
			mark(targets, word, true);
	}
}

int hp_targets_build(const struct hp_module *module, const struct hp_text *text,
		     struct hp_targets **ret_targets)
{
	HP_AUTO(hp_targets) struct hp_targets *targets = calloc(1, sizeof(*targets));
	HP_CLEANUP(sweep_end) struct sweep sweep = {.text = text, .targets = targets};
	ZydisDecoder decoder;

	if (!targets)
		return -ENOMEM;
	for (size_t i = 0; i < text->ncode; i++) {
		targets->segments[i].vaddr = text->code[i].vaddr;
		targets->segments[i].size = text->code[i].size;
		targets->segments[i].bits = calloc(text->code[i].size / 8 + 1, 1);
		targets->segments[i].proven = calloc(text->code[i].size / 8 + 1, 1);
		targets->nsegments++;
		if (!targets->segments[i].bits || !targets->segments[i].proven)
			return -ENOMEM;
	}
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t i = 0; i < hp_module_nsyms(module); i++) {
		struct hp_sym sym;

		hp_module_sym(module, i, &sym);
		mark(targets, sym.addr, false);
	}
	for (size_t i = 0; i < text->ndata; i++)
		take_words(targets, &text->data[i]);
	for (size_t i = 0; i < text->ncode; i++)
		sweep_segment(&sweep, &decoder, module, &text->code[i]);
	if (sweep.error)
		return sweep.error;
	if (targets->loops.len)
		qsort(targets->loops.data, targets->loops.len, sizeof(uint64_t), by_address);
	*ret_targets = HP_TAKE_PTR(targets);
	return 0;
}

void hp_targets_free(struct hp_targets *targets)
{
	if (!targets)
		return;
	for (size_t i = 0; i < targets->nsegments; i++) {
		free(targets->segments[i].bits);
		free(targets->segments[i].proven);
	}
	hp_vec_free(&targets->loops);
	free(targets);
}
