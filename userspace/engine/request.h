#pragma once

#include "base/cleanup.h"

struct hp_mailbox;

/*
 * A letter with an answer: runs a function on the engine thread and waits for it, at most 250 ms. The
 * argument outlives both sides: whoever comes last frees it, so a late engine finds it intact.
 */
struct hp_request_wait;

/*
 * Result of @fn(@arg), or -ETIMEDOUT / -ENOMEM. @arg is owned by the request from here on; it stays valid until
 * *@ret_wait is freed, whatever happened (NULL only if @arg has been freed already: -ENOMEM).
 */
int hp_request_send(struct hp_mailbox *mailbox, int (*fn)(void *arg), void *arg,
		    void (*free_arg)(void *arg), struct hp_request_wait **ret_wait);
void hp_request_free(struct hp_request_wait *wait);

static inline void hp_request_auto_(struct hp_request_wait **wait)
{
	hp_request_free(*wait);
}
