#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "hotpathd/abi/alloc.h"

/*
 * Is the ring record of @size bytes a drawn request, or a release, whose every member can be relied on? Pure. Periods of 4 GiB and
 * more are refused: no rate needs them.
 */
bool hp_alloc_record_is_request(const struct hp_event *event, size_t size);
bool hp_alloc_record_is_release(const struct hp_event *event, size_t size);
