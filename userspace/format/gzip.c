#include "format/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#define LEVEL     1  /* level 6 takes four times as long for a tenth of the bytes */
#define WINDOW    15 /* bits */
#define GZIP      16 /* added to the window: gzip, not zlib */
#define MEM_LEVEL 8

int hp_gzip_pack(const void *data, size_t len, char **ret_packed, size_t *ret_len)
{
	z_stream stream = {0};
	char *packed;
	size_t bound;
	int r;

	if (len > UINT_MAX / 2)
		return -EFBIG;
	if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW + GZIP, MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&stream, len);
	packed = malloc(bound + 1);
	if (!packed) {
		deflateEnd(&stream);
		return -ENOMEM;
	}
	stream.next_in = (Bytef *)data;
	stream.avail_in = (uInt)len;
	stream.next_out = (Bytef *)packed;
	stream.avail_out = (uInt)bound;
	r = deflate(&stream, Z_FINISH);
	*ret_len = stream.total_out;
	deflateEnd(&stream);
	if (r != Z_STREAM_END) {
		free(packed);
		return -ENOMEM;
	}
	packed[*ret_len] = '\0';
	*ret_packed = packed;
	return 0;
}
