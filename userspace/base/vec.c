#include "base/vec.h"

#include <errno.h>
#include <stdint.h>

int hp_vec_grow_(void **data, size_t *cap, size_t size, size_t need)
{
	size_t wanted = *cap ? *cap : 8, bytes;
	void *grown;

	if (need <= *cap)
		return 0;
	while (wanted < need) {
		if (wanted > SIZE_MAX / 2)
			return -ENOMEM;
		wanted *= 2;
	}
	if (__builtin_mul_overflow(wanted, size, &bytes))
		return -ENOMEM;
	grown = realloc(*data, bytes);
	if (!grown)
		return -ENOMEM;
	*data = grown;
	*cap = wanted;
	return 0;
}
