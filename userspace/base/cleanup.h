#pragma once

/*
 * Ownership by scope (house style rule 7). An owning local carries HP_AUTO(type), HP_AUTO_FREE or
 * HP_AUTO_FD and an initial value (NULL or -1); it gives up what it owns only through HP_TAKE_PTR or
 * HP_TAKE_FD, so one function body proves that it leaks nothing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HP_CLEANUP(fn) __attribute__((cleanup(fn)))

/* HP_AUTO(hp_foo) struct hp_foo *foo = NULL: freed by hp_foo_free(); see HP_DEFINE_AUTO. */
#define HP_AUTO(type) HP_CLEANUP(type##_auto_)

#define HP_DEFINE_AUTO(type)                               \
	static inline void type##_auto_(struct type **ptr) \
	{                                                  \
		type##_free(*ptr);                         \
	}

static inline void hp_auto_free_(void *ptr)
{
	free(*(void **)ptr);
}

static inline void hp_auto_fd_(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void hp_auto_file_(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define HP_AUTO_FREE HP_CLEANUP(hp_auto_free_)
#define HP_AUTO_FD   HP_CLEANUP(hp_auto_fd_)
#define HP_AUTO_FILE HP_CLEANUP(hp_auto_file_)

#define HP_TAKE_PTR(ptr)                        \
	({                                      \
		__typeof__(ptr) taken_ = (ptr); \
		(ptr) = NULL;                   \
		taken_;                         \
	})

#define HP_TAKE_FD(fd)             \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#define HP_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
