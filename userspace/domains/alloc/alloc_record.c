#include "domains/alloc/alloc_record.h"

#include <stdint.h>

#include "hotpathd/abi/unwind.h"

bool hp_alloc_record_is_request(const struct hp_event *event, size_t size)
{
	const struct hp_alloc_event *request = (const void *)event;

	return size >= HP_ALLOC_EVENT_MIN && event->kind == HP_EVENT_ALLOC &&
	       request->nips <= HP_ALLOC_MAX_STACK &&
	       size == HP_ALLOC_EVENT_MIN + 8 * (size_t)request->nips && request->addr &&
	       request->period <= UINT32_MAX && (request->end & ~HP_STACK_GUESSED) < HP_NSTACK_ENDS;
}

bool hp_alloc_record_is_release(const struct hp_event *event, size_t size)
{
	const struct hp_release_event *release = (const void *)event;

	return size == sizeof(*release) && event->kind == HP_EVENT_RELEASE && release->addr;
}
