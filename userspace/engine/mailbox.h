#pragma once

#include "base/cleanup.h"

/*
 * Letters from any thread to the engine thread: a function and its argument, run in the order of
 * posting. The descriptor is readable while letters wait.
 */
struct hp_mailbox;

typedef void (*hp_letter_fn)(void *arg);

int hp_mailbox_new(struct hp_mailbox **ret_mailbox); /* 0 or negative errno */
/* Runs what is left, so that letters free their arguments. */
void hp_mailbox_free(struct hp_mailbox *mailbox);
HP_DEFINE_AUTO(hp_mailbox)

/* Any thread. 0, or -ENOMEM: not posted, @arg stays the caller's. */
int hp_mailbox_post(struct hp_mailbox *mailbox, hp_letter_fn fn, void *arg);
int hp_mailbox_fd(const struct hp_mailbox *mailbox);
void hp_mailbox_run(struct hp_mailbox *mailbox); /* engine thread: runs all waiting letters */
