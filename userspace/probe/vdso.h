#pragma once

#include <stddef.h>

struct hp_module;

/* The image in our own memory, for good. 0, -ENODATA (there is none) or negative errno. Any thread. */
int hp_vdso_image(const void **ret_image, size_t *ret_size);

/*
 * Names of the code that the kernel puts into each process, [vdso]. No file has it; that of our own process is the same
 * image as the target's, as 32-bit targets are refused. 0, -ENODATA (we have none) or the codes of hp_module_load().
 */
int hp_vdso_load(struct hp_module **ret_module);
