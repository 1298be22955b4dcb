#include "elf/aliases.h"

#include <errno.h>
#include <string.h>

#include <gelf.h>
#include <libelf.h>

#include "base/vec.h"
#include "elf/demangle.h"
#include "elf/gather.h"
#include "elf/index.h"

struct name {
	uint64_t addr;
	const char *text;
};

struct names {
	Elf *elf;
	HP_VEC(struct name) names;
};

static void names_end(struct names *names)
{
	hp_vec_free(&names->names);
	elf_end(names->elf);
}

static int read_symbols(struct names *names, Elf_Scn *section, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = data && shdr->sh_entsize ? data->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 0; i < n; i++) {
		struct name name;
		GElf_Sym sym;
		unsigned type;

		if (i > INT32_MAX || !gelf_getsym(data, (int)i, &sym))
			return -EBADMSG;
		type = GELF_ST_TYPE(sym.st_info);
		if (sym.st_shndx == SHN_UNDEF || sym.st_value == 0 ||
		    (type != STT_FUNC && type != STT_GNU_IFUNC))
			continue;
		name = (struct name){sym.st_value,
				     elf_strptr(names->elf, shdr->sh_link, sym.st_name)};
		if (!name.text || !*name.text)
			continue;
		if (names->names.len >= HP_INDEX_MAX_SYMS)
			return -E2BIG;
		if (hp_vec_push(&names->names, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* .dynsym names a function without the version that .symtab may add. */
static size_t bare_length(const char *text)
{
	return strcspn(text, "@");
}

static int compare_texts(const char *left, const char *right)
{
	size_t left_len = bare_length(left), right_len = bare_length(right);
	int r = strncmp(left, right, left_len < right_len ? left_len : right_len);

	return r ? r : (left_len > right_len) - (left_len < right_len);
}

static int by_addr_then_text(const void *a, const void *b)
{
	const struct name *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	return compare_texts(left->text, right->text);
}

/* @names [first, end) are of one address; single ones are no news. */
static int add_group(const struct names *names, size_t first, size_t end, struct hp_gather *gather)
{
	const struct name *all = names->names.data;
	char shown[HP_NAME_MAX];
	bool cold;
	int r = 0;

	if (compare_texts(all[first].text, all[end - 1].text) == 0)
		return 0;
	for (size_t i = first; i < end && r == 0; i++) {
		if (i > first && compare_texts(all[i].text, all[i - 1].text) == 0)
			continue;
		hp_demangle(all[i].text, shown, &cold);
		r = hp_gather_alias(gather, all[i].addr, shown);
	}
	return r;
}

static int add_groups(struct names *names, struct hp_gather *gather)
{
	size_t n = names->names.len, end;
	int r = 0;

	if (n)
		qsort(names->names.data, n, sizeof(struct name), by_addr_then_text);
	for (size_t first = 0; first < n && r == 0; first = end) {
		for (end = first + 1;
		     end < n && names->names.data[end].addr == names->names.data[first].addr;)
			end++;
		r = add_group(names, first, end, gather);
	}
	return r;
}

int hp_aliases_read(int fd, struct hp_gather *gather)
{
	HP_CLEANUP(names_end) struct names names = {0};
	Elf_Scn *section = NULL;
	GElf_Ehdr header;
	int r = 0;

	elf_version(EV_CURRENT);
	names.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!names.elf || elf_kind(names.elf) != ELF_K_ELF || !gelf_getehdr(names.elf, &header) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	while (r == 0 && (section = elf_nextscn(names.elf, section))) {
		GElf_Shdr shdr;

		if (!gelf_getshdr(section, &shdr))
			return -EBADMSG;
		if (shdr.sh_type == SHT_SYMTAB || shdr.sh_type == SHT_DYNSYM)
			r = read_symbols(&names, section, &shdr);
	}
	return r < 0 ? r : add_groups(&names, gather);
}
