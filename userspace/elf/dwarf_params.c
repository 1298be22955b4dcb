#include "elf/dwarf_params.h"

#include <stdbool.h>
#include <stdint.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "elf/dwarf_type.h"
#include "elf/signature.h"
#include "hotpathd/abi/values.h"

/*
 * What debug information says of parameters:
 *
 * - Their types, in order; so the calling convention tells where they are passed. It holds for functions that
 *   others can call. A function of one file (static) may have been changed by the compiler, parameters taken away or
 *   moved, with (.isra, .constprop: gcc) or without (clang) a new name.
 * - Where each one is at the function's first instruction, in optimised code. That holds whatever the compiler has
 *   done; who has no place there is gone. So places go before the convention, and where one is gone from a
 *   function that may have been changed, those without a place stay unknown.
 */
#define MAX_CHILDREN 4096 /* of a function that are looked at for a parameter */

/* DWARF's numbers of registers; HP_NO_WORD: none that passes integers. */
static uint8_t word_of_register(uint64_t number)
{
	static const uint8_t words[] = {HP_NO_WORD, 2,          3,          HP_NO_WORD, 1,
					0,          HP_NO_WORD, HP_NO_WORD, 4,          5};

	return number < sizeof(words) ? words[number] : HP_NO_WORD;
}

/* Where a parameter is at the entry. */
struct place {
	enum { PLACE_UNSAID, PLACE_GONE, PLACE_REGISTER, PLACE_VECTOR, PLACE_OTHER } kind;
	uint8_t words[2]; /* PLACE_REGISTER; the second of a pair, else HP_NO_WORD */
};

static bool is_register(const Dwarf_Op *op, uint64_t *ret_number)
{
	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
		*ret_number = op->atom - DW_OP_reg0;
	else if (op->atom == DW_OP_regx)
		*ret_number = op->number;
	else
		return false;
	return true;
}

static struct place place_of_ops(const Dwarf_Op *ops, size_t n)
{
	struct place place = {.kind = PLACE_OTHER, .words = {HP_NO_WORD, HP_NO_WORD}};
	uint64_t number, second;

	if (n == 0)
		return (struct place){.kind = PLACE_GONE};
	if (!is_register(&ops[0], &number))
		return place;
	if (number >= 17 && number <= 32) {
		place.kind = PLACE_VECTOR;
		return place;
	}
	place.words[0] = word_of_register(number);
	if (n == 4 && ops[1].atom == DW_OP_piece && ops[1].number == 8 &&
	    is_register(&ops[2], &second) && ops[3].atom == DW_OP_piece && ops[3].number == 8)
		place.words[1] = word_of_register(second);
	else if (n != 1)
		return place;
	place.kind = PLACE_REGISTER;
	return place;
}

/*
 * In code that is not optimised, a parameter has one place in the frame, for the whole function, which is not true
 * yet at the entry.
 */
static struct place place_at(Dwarf_Die *param, Dwarf_Addr entry)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t n = 0;
	int found;
	bool list;

	if (!dwarf_attr(param, DW_AT_location, &attribute))
		return (struct place){.kind = PLACE_GONE};
	list = dwarf_whatform(&attribute) != DW_FORM_exprloc &&
	       dwarf_whatform(&attribute) != DW_FORM_block1;
	found = dwarf_getlocation_addr(&attribute, entry, &ops, &n, 1);
	if (found != 1)
		return (struct place){.kind = list && found == 0 ? PLACE_GONE : PLACE_OTHER};
	if (!list && n && ops[0].atom == DW_OP_fbreg)
		return (struct place){.kind = PLACE_UNSAID};
	/* At an odd place on the stack, where the caller has put it. */
	if (n == 1 && (ops[0].atom == DW_OP_fbreg || ops[0].atom == DW_OP_call_frame_cfa))
		return (struct place){.kind = PLACE_UNSAID};
	return place_of_ops(ops, n);
}

/* One function that is being read. */
struct reading {
	const struct hp_dwarf_language *language;
	Dwarf_Addr entry;
	struct hp_signature signature;
	struct hp_placer placer;
	bool changeable; /* by the compiler */
	bool gone;       /* a parameter is */
	struct place places[HP_SIGNATURE_PARAMS];
};

/* By the calling convention. */
static void put(struct reading *reading, const struct hp_dwarf_type *type, struct hp_value *value)
{
	struct hp_value second = {.type = HP_VALUE_UINT, .bytes = 8};

	*value = type->value;
	switch (type->passing) {
	case HP_PASS_WORD:
		hp_placer_put(&reading->placer, value);
		break;
	case HP_PASS_PAIR:
		hp_placer_put(&reading->placer, value);
		hp_placer_put(&reading->placer, &second);
		if (value->type == HP_VALUE_STR)
			value->length = second.word;
		if (value->type == HP_VALUE_STR && second.word == HP_NO_WORD)
			value->type = HP_VALUE_PTR;
		break;
	case HP_PASS_STRUCT:
		hp_placer_put_struct(&reading->placer, type->bytes, type->ints, type->floats,
				     value);
		break;
	case HP_PASS_POINTER:
		value->type = HP_VALUE_PTR;
		hp_placer_put(&reading->placer, value);
		break;
	case HP_PASS_NOTHING:
		*value = (struct hp_value){.type = HP_VALUE_UNKNOWN,
					   .bytes = 8,
					   .word = HP_NO_WORD,
					   .length = HP_NO_WORD,
					   .text = HP_NO_WORD,
					   .gap = HP_GAP_STRUCT};
		break;
	case HP_PASS_UNKNOWN:
		reading->placer.lost = true;
		hp_placer_put(&reading->placer, value);
		break;
	}
}

static void lose(struct hp_value *value, enum hp_value_gap gap)
{
	value->word = value->length = HP_NO_WORD;
	value->gap = (uint8_t)gap;
}

/* What the location says goes before the convention. */
static void correct(const struct reading *reading, struct hp_value *value,
		    const struct place *place)
{
	switch (place->kind) {
	case PLACE_REGISTER:
		if (value->type == HP_VALUE_UNKNOWN)
			break;
		if (place->words[0] == HP_NO_WORD) {
			lose(value, HP_GAP_PLACE);
			break;
		}
		if (value->type == HP_VALUE_STR && place->words[1] != HP_NO_WORD)
			value->length = place->words[1];
		value->word = place->words[0];
		value->gap = HP_GAP_NONE;
		break;
	case PLACE_VECTOR:
		if (value->type != HP_VALUE_UNKNOWN)
			lose(value, HP_GAP_VECTOR);
		break;
	case PLACE_GONE:
		if (reading->changeable)
			lose(value, HP_GAP_GONE);
		break;
	case PLACE_UNSAID:
	case PLACE_OTHER:
		if (reading->changeable && reading->gone && value->word != HP_NO_WORD)
			lose(value, HP_GAP_PLACE);
		break;
	}
}

/* @declared: the parameter as the source has it; @own: the same of the code that is probed, NULL: it has none. */
static void read_param(struct reading *reading, Dwarf_Die *declared, Dwarf_Die *own)
{
	struct hp_signature *signature = &reading->signature;
	unsigned i = signature->nparams++;
	struct hp_dwarf_type type;

	if (!hp_dwarf_type_of(reading->language, declared, &type))
		type = (struct hp_dwarf_type){.passing = HP_PASS_UNKNOWN,
					      .value = {.type = HP_VALUE_UNKNOWN, .bytes = 8}};
	put(reading, &type, &signature->params[i]);
	reading->places[i] =
		own ? place_at(own, reading->entry) : (struct place){.kind = PLACE_GONE};
	reading->gone |= reading->places[i].kind == PLACE_GONE;
}

/* The child of @die that stands for @declared. */
static bool find_own(Dwarf_Die *die, Dwarf_Die *declared, Dwarf_Die *ret_own)
{
	Dwarf_Die child, origin;
	Dwarf_Attribute attribute;

	if (dwarf_child(die, &child) != 0)
		return false;
	for (int left = MAX_CHILDREN; left > 0; left--) {
		if (dwarf_tag(&child) == DW_TAG_formal_parameter &&
		    dwarf_formref_die(dwarf_attr(&child, DW_AT_abstract_origin, &attribute),
				      &origin) &&
		    dwarf_dieoffset(&origin) == dwarf_dieoffset(declared)) {
			*ret_own = child;
			return true;
		}
		if (dwarf_siblingof(&child, &child) != 0)
			break;
	}
	return false;
}

/*
 * Code that was also inlined, or cloned, points to a declaration, which has all parameters in their order; its own
 * ones may come in another.
 */
static void read_params(struct reading *reading, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die declaration = *die, child, own;
	bool is_copy = dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attribute),
					 &declaration) != NULL;

	if (dwarf_child(&declaration, &child) != 0)
		return;
	do {
		if (dwarf_tag(&child) == DW_TAG_unspecified_parameters)
			reading->signature.more = true;
		if (dwarf_tag(&child) != DW_TAG_formal_parameter)
			continue;
		if (reading->signature.nparams == HP_SIGNATURE_PARAMS) {
			reading->signature.more = true;
			return;
		}
		if (!is_copy)
			read_param(reading, &child, &child);
		else
			read_param(reading, &child, find_own(die, &child, &own) ? &own : NULL);
	} while (dwarf_siblingof(&child, &child) == 0);
}

/* A result in memory comes with a hidden pointer before all arguments. */
static void read_result(struct reading *reading, Dwarf_Die *die)
{
	struct hp_signature *signature = &reading->signature;
	struct hp_value *result = &signature->result;
	struct hp_dwarf_type type;

	*result = (struct hp_value){.type = HP_VALUE_VOID, .bytes = 8};
	if (hp_dwarf_type_of(reading->language, die, &type)) {
		*result = type.value;
		if (type.passing == HP_PASS_POINTER ||
		    (type.passing == HP_PASS_STRUCT && !type.ints && !type.floats && !type.x87) ||
		    (reading->language->rust && type.bytes > 16))
			reading->placer.ints = 1;
		else if (type.passing == HP_PASS_UNKNOWN)
			reading->placer.lost = true;
	}
	hp_signature_place_result(signature);
	if (result->type == HP_VALUE_STR && type.passing == HP_PASS_PAIR)
		result->length = HP_WORD_RDX;
}

static bool is_external(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	bool external = false;

	return dwarf_formflag(dwarf_attr_integrate(die, DW_AT_external, &attribute), &external) ==
		       0 &&
	       external;
}

void hp_dwarf_signature_of(const struct hp_dwarf_language *language, Dwarf_Die *die,
			   Dwarf_Addr entry, bool clone, struct hp_signature *ret_signature)
{
	struct reading reading = {
		.language = language,
		.entry = entry,
		.changeable = clone || !is_external(die),
	};

	read_result(&reading, die);
	read_params(&reading, die);
	for (unsigned i = 0; i < reading.signature.nparams; i++)
		correct(&reading, &reading.signature.params[i], &reading.places[i]);
	hp_signature_number_texts(&reading.signature);
	*ret_signature = reading.signature;
}
