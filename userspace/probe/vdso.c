#include "probe/vdso.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/module.h"
#include "target/proc.h"

int hp_vdso_image(const void **ret_image, size_t *ret_size)
{
	const uint64_t start = getauxval(AT_SYSINFO_EHDR);
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	const struct hp_mapping *mapping;
	int r;

	if (!start)
		return -ENODATA;
	r = hp_maps_read(getpid(), &maps);
	if (r < 0)
		return r;
	mapping = hp_maps_find(maps, start);
	if (!mapping || mapping->start != start)
		return -ENODATA;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel tells it as a number */
	*ret_image = (const void *)start;
	*ret_size = mapping->end - mapping->start;
	return 0;
}

int hp_vdso_load(struct hp_module **ret_module)
{
	HP_AUTO_FD int fd = -1;
	const void *image;
	size_t size;
	int r = hp_vdso_image(&image, &size);

	if (r < 0)
		return r;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, image, size) != (ssize_t)size)
		return -EIO;
	return hp_module_load(fd, "[vdso]", ret_module, NULL);
}
