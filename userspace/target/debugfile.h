#pragma once

#include <stddef.h>

struct hp_image;
struct hp_module;
struct hp_target;

/*
 * Separate debug files of an image (trap:T10). The places, in the order in which they are tried:
 *   /usr/lib/debug/.build-id/xx/yyyy.debug, and for the name in .gnu_debuglink: the image's own directory, .debug
 *   in it, /usr/lib/debug/DIRECTORY; first as the target sees them, then as we do.
 * Paths in the target's root are resolved there, so that its symbolic links lead to its own files, and only regular files
 * are opened: a pipe would block us, a device might do something. Whether a file is of the same build, the reader decides.
 */
#define HP_DEBUGFILE_PLACES 8u

/*
 * Opens place @i of HP_DEBUGFILE_PLACES; the path for people into @path. File descriptor (O_RDONLY), or negative
 * errno: nothing usable is there.
 */
int hp_debugfile_open(const struct hp_target *target, const struct hp_image *image,
		      const struct hp_module *module, unsigned i, char *path, size_t size);
