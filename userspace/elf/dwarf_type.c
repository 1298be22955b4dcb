#include "elf/dwarf_type.h"

#include <string.h>

#include <dwarf.h>

#include "elf/dwarf_class.h"
#include "elf/dwarf_text.h"

#define MAX_STEPS   32 /* of typedef, const, volatile ... */
#define MAX_DEPTH   8  /* of structures in structures */
#define MAX_MEMBERS 64
#define IN_WORDS    16 /* bytes; what is larger goes by the stack */

/* What an eight-byte part of a small structure holds. */
enum part { PART_EMPTY, PART_FLOAT, PART_INT };

struct parts {
	const struct hp_dwarf_language *language;
	enum part of[IN_WORDS / 8];
	bool unaligned; /* then it goes by the stack */
	unsigned left;  /* members that may still be looked at */
};

static const char *name_of(const struct hp_dwarf_language *language, Dwarf_Die *die)
{
	const char *name = hp_dwarf_text_ended(language->text, dwarf_diename(die));

	return name ? name : "";
}

static bool target_of(Dwarf_Die *die, Dwarf_Die *ret_target)
{
	Dwarf_Attribute attribute;

	return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attribute), ret_target) !=
	       NULL;
}

/* Through typedefs and qualifiers. False: void, or a chain without end. */
static bool peel(Dwarf_Die *die)
{
	for (int i = 0; i < MAX_STEPS; i++) {
		Dwarf_Die next;

		switch (dwarf_tag(die)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			if (!target_of(die, &next))
				return false;
			*die = next;
			break;
		default:
			return true;
		}
	}
	return false;
}

static uint64_t number_of(Dwarf_Die *die, unsigned name, uint64_t fallback)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr_integrate(die, name, &attribute), &value) != 0)
		return fallback;
	return value;
}

static bool is_plain_char(const struct hp_dwarf_language *language, Dwarf_Die *die)
{
	return dwarf_tag(die) == DW_TAG_base_type && number_of(die, DW_AT_byte_size, 0) == 1 &&
	       strcmp(name_of(language, die), "char") == 0;
}

static bool points_to_char(const struct hp_dwarf_language *language, Dwarf_Die *die)
{
	Dwarf_Die target;

	return !language->rust && target_of(die, &target) && peel(&target) &&
	       is_plain_char(language, &target);
}

static struct hp_dwarf_type word(enum hp_value_type type, uint64_t bytes)
{
	bool fits = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;

	return (struct hp_dwarf_type){
		.passing = fits ? HP_PASS_WORD : HP_PASS_UNKNOWN,
		.value = {.type = (uint8_t)type, .bytes = fits ? (uint8_t)bytes : 8},
		.bytes = bytes,
	};
}

static struct hp_dwarf_type structure(uint64_t bytes, unsigned ints, unsigned floats)
{
	return (struct hp_dwarf_type){
		.passing = HP_PASS_STRUCT,
		.value = {.type = HP_VALUE_UNKNOWN, .bytes = 8},
		.bytes = bytes,
		.ints = ints,
		.floats = floats,
	};
}

static struct hp_dwarf_type without_value(enum hp_dwarf_passing passing, uint64_t bytes)
{
	struct hp_dwarf_type type = structure(bytes, 0, 0);

	type.passing = passing;
	return type;
}

static struct hp_dwarf_type base_type(const struct hp_dwarf_language *language, Dwarf_Die *die)
{
	uint64_t bytes = number_of(die, DW_AT_byte_size, 0);
	bool is_char = is_plain_char(language, die);

	switch (number_of(die, DW_AT_encoding, 0)) {
	case DW_ATE_boolean:
		return word(HP_VALUE_BOOL, bytes);
	case DW_ATE_float:
		/* long double goes by the stack; others of 16 bytes do not, and are rare. */
		if (bytes == 16 && strcmp(name_of(language, die), "long double") != 0)
			return structure(bytes, 0, 1);
		if (bytes == 16) {
			struct hp_dwarf_type x87 = structure(bytes, 0, 0);

			x87.x87 = true;
			return x87;
		}
		return word(HP_VALUE_FLOAT, bytes);
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		if (bytes == 16)
			return structure(bytes, 2, 0);
		return word(is_char ? HP_VALUE_CHAR : HP_VALUE_INT, bytes);
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
		if (bytes == 16)
			return structure(bytes, 2, 0);
		return word(is_char ? HP_VALUE_CHAR : HP_VALUE_UINT, bytes);
	case DW_ATE_UTF:
		return word(HP_VALUE_CHAR, bytes);
	default:
		return without_value(HP_PASS_UNKNOWN, bytes);
	}
}

static struct hp_dwarf_type enumeration(const struct hp_dwarf_language *language, Dwarf_Die *die)
{
	uint64_t bytes = number_of(die, DW_AT_byte_size, 4);
	Dwarf_Die target;

	if (target_of(die, &target) && peel(&target) && dwarf_tag(&target) == DW_TAG_base_type)
		return base_type(language, &target);
	return word(HP_VALUE_INT, bytes);
}

static bool add_type(struct parts *parts, Dwarf_Die *die, uint64_t offset, unsigned depth);

static bool add_part(struct parts *parts, uint64_t offset, uint64_t bytes, enum part part)
{
	if (bytes == 0 || bytes > IN_WORDS || offset > IN_WORDS - bytes)
		return false;
	parts->unaligned |= offset % bytes != 0;
	for (uint64_t at = offset / 8; at <= (offset + bytes - 1) / 8; at++) {
		if (parts->of[at] < part)
			parts->of[at] = part;
	}
	return true;
}

static bool add_members(struct parts *parts, Dwarf_Die *die, uint64_t offset, unsigned depth)
{
	Dwarf_Die child;

	if (dwarf_child(die, &child) != 0)
		return true;
	do {
		int tag = dwarf_tag(&child);
		Dwarf_Die type;

		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
		    dwarf_hasattr(&child, DW_AT_external) ||
		    dwarf_hasattr(&child, DW_AT_declaration))
			continue;
		if (parts->left-- == 0 || !target_of(&child, &type))
			return false;
		if (dwarf_hasattr(&child, DW_AT_bit_size)) {
			uint64_t bit = number_of(&child, DW_AT_data_bit_offset, UINT64_MAX);

			if (bit / 8 >= IN_WORDS - offset ||
			    !add_part(parts, offset + bit / 8, 1, PART_INT))
				return false;
			continue;
		}
		if (!add_type(parts, &type,
			      offset + number_of(&child, DW_AT_data_member_location, 0), depth))
			return false;
	} while (dwarf_siblingof(&child, &child) == 0);
	return true;
}

static bool add_array(struct parts *parts, Dwarf_Die *die, uint64_t offset, unsigned depth)
{
	Dwarf_Die element;
	Dwarf_Word bytes;

	if (!target_of(die, &element) || dwarf_aggregate_size(&element, &bytes) != 0 || bytes == 0)
		return false;
	/* All of it: a structure of at most 16 bytes has no more elements than that. */
	for (uint64_t at = offset; at < IN_WORDS; at += bytes) {
		Dwarf_Word whole;

		if (dwarf_aggregate_size(die, &whole) != 0 || at - offset >= whole)
			break;
		if (parts->left-- == 0 || !add_type(parts, &element, at, depth))
			return false;
	}
	return true;
}

/* False: it cannot be told what is in it. */
static bool add_type(struct parts *parts, Dwarf_Die *die, uint64_t offset, unsigned depth)
{
	struct hp_dwarf_type type;

	if (offset > IN_WORDS || depth == MAX_DEPTH || !peel(die))
		return false;
	switch (dwarf_tag(die)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return add_members(parts, die, offset, depth + 1);
	case DW_TAG_array_type:
		return add_array(parts, die, offset, depth + 1);
	case DW_TAG_base_type:
		type = base_type(parts->language, die);
		return type.passing == HP_PASS_WORD &&
		       add_part(parts, offset, type.bytes,
				type.value.type == HP_VALUE_FLOAT ? PART_FLOAT : PART_INT);
	case DW_TAG_enumeration_type:
		return add_part(parts, offset, number_of(die, DW_AT_byte_size, 4), PART_INT);
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return add_part(parts, offset, 8, PART_INT);
	default:
		return false;
	}
}

/* System V: at most 16 bytes go by registers, by what is in each half. */
static struct hp_dwarf_type small_structure(const struct hp_dwarf_language *language,
					    Dwarf_Die *die, uint64_t bytes)
{
	struct parts parts = {.language = language, .left = MAX_MEMBERS};
	unsigned ints = 0, floats = 0;

	if (!add_members(&parts, die, 0, 0))
		return without_value(HP_PASS_UNKNOWN, bytes);
	if (parts.unaligned)
		return structure(bytes, 0, 0);
	for (size_t i = 0; i < IN_WORDS / 8; i++) {
		ints += parts.of[i] == PART_INT;
		floats += parts.of[i] == PART_FLOAT;
	}
	return ints + floats ? structure(bytes, ints, floats)
			     : without_value(HP_PASS_NOTHING, bytes);
}

/* "&str" and slices; Rust has no promise about others. */
static struct hp_dwarf_type rust_structure(const struct hp_dwarf_language *language, Dwarf_Die *die,
					   uint64_t bytes)
{
	struct hp_dwarf_type pair = word(HP_VALUE_PTR, 8);
	unsigned found = 0;
	Dwarf_Die child;

	if (bytes == 0)
		return without_value(HP_PASS_NOTHING, bytes);
	if (bytes != 16 || dwarf_child(die, &child) != 0)
		return without_value(HP_PASS_UNKNOWN, bytes);
	do {
		const char *name = name_of(language, &child);

		if (dwarf_tag(&child) != DW_TAG_member)
			continue;
		found += strcmp(name, "data_ptr") == 0 || strcmp(name, "length") == 0 ? 1 : 8;
	} while (dwarf_siblingof(&child, &child) == 0);
	if (found != 2)
		return without_value(HP_PASS_UNKNOWN, bytes);
	pair.passing = HP_PASS_PAIR;
	if (strcmp(name_of(language, die), "&str") == 0)
		pair.value.type = HP_VALUE_STR;
	return pair;
}

static struct hp_dwarf_type aggregate(const struct hp_dwarf_language *language, Dwarf_Die *die)
{
	uint64_t bytes = number_of(die, DW_AT_byte_size, UINT64_MAX);
	uint64_t convention = number_of(die, DW_AT_calling_convention, 0);

	if (bytes == UINT64_MAX)
		return without_value(HP_PASS_UNKNOWN, 0);
	if (language->rust)
		return rust_structure(language, die, bytes);
	if (convention == DW_CC_pass_by_reference)
		return without_value(HP_PASS_POINTER, bytes);
	if (language->cxx && convention != DW_CC_pass_by_value &&
	    hp_dwarf_class_has_code(language->text, die))
		return without_value(HP_PASS_POINTER, bytes);
	if (bytes == 0)
		return without_value(HP_PASS_NOTHING, bytes);
	return bytes > IN_WORDS ? structure(bytes, 0, 0) : small_structure(language, die, bytes);
}

bool hp_dwarf_type_of(const struct hp_dwarf_language *language, Dwarf_Die *die,
		      struct hp_dwarf_type *ret_type)
{
	Dwarf_Die type;

	if (!target_of(die, &type))
		return false;
	if (!peel(&type)) {
		*ret_type = without_value(HP_PASS_UNKNOWN, 0);
		return true;
	}
	switch (dwarf_tag(&type)) {
	case DW_TAG_base_type:
		*ret_type = base_type(language, &type);
		if (ret_type->bytes == 0) { /* Rust's () */
			*ret_type = without_value(HP_PASS_NOTHING, 0);
			return !language->rust || dwarf_tag(die) == DW_TAG_formal_parameter;
		}
		return true;
	case DW_TAG_enumeration_type:
		*ret_type = enumeration(language, &type);
		return true;
	case DW_TAG_pointer_type:
		*ret_type = word(points_to_char(language, &type) ? HP_VALUE_STR : HP_VALUE_PTR, 8);
		return true;
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type: /* nullptr_t; or Rust's !, of functions that never return */
		*ret_type = word(HP_VALUE_PTR, 8);
		return true;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		*ret_type = aggregate(language, &type);
		return true;
	default:
		*ret_type = without_value(HP_PASS_UNKNOWN, 0);
		return true;
	}
}
