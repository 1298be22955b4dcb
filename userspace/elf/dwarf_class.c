#include "elf/dwarf_class.h"

#include <string.h>

#include <dwarf.h>

#include "elf/dwarf_text.h"

#define MAX_DEPTH    8
#define MAX_CHILDREN 4096 /* of the class and all its parts */
#define MAX_STEPS    32

struct look {
	const struct hp_dwarf_text *text;
	unsigned left; /* children that may still be looked at */
};

static bool has_code(struct look *look, Dwarf_Die *die, unsigned depth);

static const char *name_of(const struct look *look, Dwarf_Die *die)
{
	const char *name = hp_dwarf_text_ended(look->text, dwarf_diename(die));

	return name ? name : "";
}

/* Through typedefs, qualifiers and arrays. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *ret_type)
{
	Dwarf_Die at = *die;

	for (int i = 0; i < MAX_STEPS; i++) {
		Dwarf_Attribute attribute;
		Dwarf_Die next;

		if (!dwarf_formref_die(dwarf_attr_integrate(&at, DW_AT_type, &attribute), &next))
			return false;
		at = next;
		switch (dwarf_tag(&at)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_array_type:
			break;
		default:
			*ret_type = at;
			return true;
		}
	}
	return false;
}

static bool is_class(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* "X(X const &)" and "X(X &&)". @method is a constructor of @owner. */
static bool copies(Dwarf_Die *method, Dwarf_Die *owner)
{
	Dwarf_Die param, type, target;
	unsigned n = 0;

	if (dwarf_child(method, &param) != 0)
		return false;
	do {
		if (dwarf_tag(&param) != DW_TAG_formal_parameter || n++ == 0) /* this */
			continue;
		return type_of(&param, &type) &&
		       (dwarf_tag(&type) == DW_TAG_reference_type ||
			dwarf_tag(&type) == DW_TAG_rvalue_reference_type) &&
		       type_of(&type, &target) &&
		       dwarf_dieoffset(&target) == dwarf_dieoffset(owner);
	} while (n <= 2 && dwarf_siblingof(&param, &param) == 0);
	return false;
}

static bool is_code_of_copies(const struct look *look, Dwarf_Die *method, Dwarf_Die *owner)
{
	const char *name = name_of(look, method), *class = name_of(look, owner);
	size_t len = strcspn(class, "<");

	if (dwarf_hasattr(method, DW_AT_virtuality))
		return true;
	if (dwarf_hasattr(method, DW_AT_defaulted))
		return false;
	return name[0] == '~' || (len && strncmp(name, class, len) == 0 &&
				  (name[len] == '\0' || name[len] == '<') && copies(method, owner));
}

static bool has_code(struct look *look, Dwarf_Die *die, unsigned depth)
{
	Dwarf_Die child, type;

	if (depth == MAX_DEPTH || dwarf_child(die, &child) != 0)
		return false;
	do {
		int tag = dwarf_tag(&child);

		if (look->left == 0 || --look->left == 0)
			return true; /* what is so large goes by a pointer or the stack anyway */
		if (tag == DW_TAG_subprogram && is_code_of_copies(look, &child, die))
			return true;
		if ((tag == DW_TAG_member || tag == DW_TAG_inheritance) &&
		    !dwarf_hasattr(&child, DW_AT_external) &&
		    !dwarf_hasattr(&child, DW_AT_declaration) && type_of(&child, &type) &&
		    is_class(&type) && has_code(look, &type, depth + 1))
			return true;
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

bool hp_dwarf_class_has_code(const struct hp_dwarf_text *text, Dwarf_Die *die)
{
	struct look look = {.text = text, .left = MAX_CHILDREN};

	return has_code(&look, die, 0);
}
