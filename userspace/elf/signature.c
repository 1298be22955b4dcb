#include "elf/signature.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "hotpathd/abi/values.h"

#define MAX_VECTORS 8 /* xmm0 to xmm7 */

/* Words of the stack from @placer->stack on. */
static void put_on_stack(struct hp_placer *placer, unsigned nwords, struct hp_value *value)
{
	if (placer->stack_lost) {
		value->word = HP_NO_WORD;
		value->gap = HP_GAP_PLACE;
	} else if (placer->stack + nwords <= HP_WORD_STACK) {
		value->word = (uint8_t)(HP_WORD_REGS + placer->stack);
	} else {
		value->word = HP_NO_WORD;
		value->gap = HP_GAP_FAR;
	}
	placer->stack += nwords;
}

void hp_placer_put(struct hp_placer *placer, struct hp_value *value)
{
	value->length = value->text = HP_NO_WORD;
	value->gap = HP_GAP_NONE;
	value->word = HP_NO_WORD;
	if (placer->lost) {
		value->gap = HP_GAP_PLACE;
	} else if (value->type == HP_VALUE_FLOAT && placer->floats < MAX_VECTORS) {
		placer->floats++;
		value->gap = HP_GAP_VECTOR;
	} else if (value->type != HP_VALUE_FLOAT && placer->ints < HP_WORD_REGS) {
		value->word = (uint8_t)placer->ints++;
	} else {
		put_on_stack(placer, 1, value);
	}
}

void hp_placer_put_struct(struct hp_placer *placer, uint64_t bytes, unsigned ints, unsigned floats,
			  struct hp_value *value)
{
	bool in_registers = (ints || floats) && placer->ints + ints <= HP_WORD_REGS &&
			    placer->floats + floats <= MAX_VECTORS;

	value->length = value->text = value->word = HP_NO_WORD;
	value->gap = placer->lost ? HP_GAP_PLACE : HP_GAP_STRUCT;
	if (in_registers) {
		placer->ints += ints;
		placer->floats += floats;
	} else {
		/* It may want to be aligned to 16 bytes: only at an even word this changes nothing. */
		placer->stack_lost |= placer->stack % 2 || bytes > UINT16_MAX;
		placer->stack += (unsigned)((bytes & UINT16_MAX) + 7) / 8;
	}
}

void hp_signature_place_result(struct hp_signature *signature)
{
	struct hp_value *result = &signature->result;

	signature->has_result = true;
	result->length = result->text = HP_NO_WORD;
	result->word = HP_WORD_RAX;
	result->gap = HP_GAP_NONE;
	if (result->type == HP_VALUE_FLOAT)
		result->gap = HP_GAP_VECTOR;
	else if (result->type == HP_VALUE_UNKNOWN)
		result->gap = HP_GAP_STRUCT;
	if (result->gap || result->type == HP_VALUE_VOID)
		result->word = HP_NO_WORD;
}

void hp_signature_number_texts(struct hp_signature *signature)
{
	uint8_t n = 0;

	for (unsigned i = 0; i < signature->nparams; i++) {
		struct hp_value *value = &signature->params[i];

		if (value->type != HP_VALUE_STR || value->word == HP_NO_WORD)
			continue;
		if (n == HP_VALUE_TEXTS)
			value->gap = HP_GAP_TEXTS;
		else
			value->text = n++;
	}
	if (signature->has_result && signature->result.type == HP_VALUE_STR)
		signature->result.text = n;
}

const char *hp_value_type_name(const struct hp_value *value)
{
	static const char *const ints[] = {"i8", "i16", "int", "long"};
	static const char *const uints[] = {"u8", "u16", "u32", "u64"};
	unsigned size = value->bytes >= 8 ? 3 : value->bytes >= 4 ? 2 : value->bytes / 2;

	switch ((enum hp_value_type)value->type) {
	case HP_VALUE_VOID:
		return "void";
	case HP_VALUE_INT:
		return ints[size];
	case HP_VALUE_UINT:
		return uints[size];
	case HP_VALUE_HEX:
		return "hex";
	case HP_VALUE_PTR:
		return "ptr";
	case HP_VALUE_BOOL:
		return "bool";
	case HP_VALUE_CHAR:
		return "char";
	case HP_VALUE_FLOAT:
		return value->bytes == 4 ? "float" : "double";
	case HP_VALUE_STR:
		return "str";
	case HP_VALUE_UNKNOWN:
	case HP_VALUE_NTYPES:
		break;
	}
	return "?";
}

const char *hp_value_gap_text(enum hp_value_gap gap)
{
	static const char *const texts[HP_NGAPS] = {
		[HP_GAP_NONE] = "",
		[HP_GAP_VECTOR] = "in a vector register, which probes cannot read",
		[HP_GAP_FAR] = "too far down the stack",
		[HP_GAP_STRUCT] = "a structure",
		[HP_GAP_GONE] = "removed by the compiler",
		[HP_GAP_PLACE] = "where it is passed is not known",
		[HP_GAP_TEXTS] = "more texts than are copied",
	};

	return gap < HP_NGAPS ? texts[gap] : "";
}

/* Which parameter lies in @word, counted from 1; 0: none. */
static unsigned param_in(const struct hp_signature *signature, uint8_t word)
{
	for (unsigned i = 0; i < signature->nparams; i++) {
		if (signature->params[i].word == word)
			return i + 1;
	}
	return 0;
}

void hp_signature_text(const struct hp_signature *signature, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "(");

	for (unsigned i = 0; i < signature->nparams && used < size; i++) {
		const struct hp_value *value = &signature->params[i];
		unsigned length = value->type == HP_VALUE_STR && value->length != HP_NO_WORD
					  ? param_in(signature, value->length)
					  : 0;

		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "",
					 hp_value_type_name(value));
		if (length && used < size)
			used += (size_t)snprintf(buf + used, size - used, "[%u]", length);
	}
	if (used < size)
		used += (size_t)snprintf(buf + used, size - used, "%s)",
					 !signature->more     ? ""
					 : signature->nparams ? ", ..."
							      : "...");
	if (signature->has_result && used < size)
		snprintf(buf + used, size - used, " -> %s", hp_value_type_name(&signature->result));
}

static bool is_same_value(const struct hp_value *left, const struct hp_value *right)
{
	return left->type == right->type && left->bytes == right->bytes &&
	       left->word == right->word && left->length == right->length &&
	       left->gap == right->gap && left->text == right->text;
}

bool hp_signature_equal(const struct hp_signature *left, const struct hp_signature *right)
{
	if (left->nparams != right->nparams || left->more != right->more ||
	    left->has_result != right->has_result ||
	    (left->has_result && !is_same_value(&left->result, &right->result)))
		return false;
	for (unsigned i = 0; i < left->nparams; i++) {
		if (!is_same_value(&left->params[i], &right->params[i]))
			return false;
	}
	return true;
}

static bool is_word(uint8_t word)
{
	return word == HP_NO_WORD || word < HP_VALUE_WORDS;
}

static bool is_valid_value(const struct hp_value *value, unsigned ntexts)
{
	return value->type < HP_VALUE_NTYPES && value->gap < HP_NGAPS && is_word(value->word) &&
	       is_word(value->length) && (value->text == HP_NO_WORD || value->text < ntexts) &&
	       (value->bytes == 1 || value->bytes == 2 || value->bytes == 4 || value->bytes == 8);
}

bool hp_signature_valid(const struct hp_signature *signature)
{
	if (signature->nparams > HP_SIGNATURE_PARAMS ||
	    (signature->has_result && !is_valid_value(&signature->result, HP_VALUE_TEXTS + 1)))
		return false;
	for (unsigned i = 0; i < signature->nparams; i++) {
		if (!is_valid_value(&signature->params[i], HP_VALUE_TEXTS))
			return false;
	}
	return true;
}

static void add_text(struct hp_values_spec *spec, const struct hp_value *value)
{
	const struct hp_value_text_spec text = {.word = value->word, .length = value->length};

	if (value->type != HP_VALUE_STR || value->text == HP_NO_WORD)
		return;
	if (value->text < HP_VALUE_TEXTS) {
		spec->texts[value->text] = text;
		spec->ntexts = value->text + 1;
	}
}

struct hp_values_spec hp_signature_spec(const struct hp_signature *signature)
{
	struct hp_values_spec spec = {0};

	for (unsigned i = 0; i < signature->nparams; i++) {
		const struct hp_value *value = &signature->params[i];
		uint8_t words[] = {value->word, value->length};

		for (size_t k = 0; k < sizeof(words); k++) {
			if (words[k] >= HP_WORD_REGS && words[k] < HP_WORD_REGS + HP_WORD_STACK &&
			    words[k] - HP_WORD_REGS + 1 > spec.nstack)
				spec.nstack = (uint8_t)(words[k] - HP_WORD_REGS + 1);
		}
		add_text(&spec, value);
	}
	if (signature->has_result && signature->result.type == HP_VALUE_STR) {
		spec.has_result_text = 1;
		spec.result_text = (struct hp_value_text_spec){.word = signature->result.word,
							       .length = signature->result.length};
	}
	return spec;
}
