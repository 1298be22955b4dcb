#pragma once

#include <stddef.h>

/* One gzip member (RFC 1952). Pure; any thread. */

/* Compressed copy (caller frees); fast rather than small. 0, -ENOMEM or -EFBIG. */
int hp_gzip_pack(const void *data, size_t len, char **ret_packed, size_t *ret_len);
