#include "engine/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct letter {
	struct letter *next;
	hp_letter_fn fn;
	void *arg;
};

struct hp_mailbox {
	pthread_mutex_t lock;
	struct letter *first, **last;
	int fd;
};

int hp_mailbox_new(struct hp_mailbox **ret_mailbox)
{
	struct hp_mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox)
		return -ENOMEM;
	mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->fd < 0) {
		free(mailbox);
		return -errno;
	}
	pthread_mutex_init(&mailbox->lock, NULL);
	mailbox->last = &mailbox->first;
	*ret_mailbox = mailbox;
	return 0;
}

void hp_mailbox_free(struct hp_mailbox *mailbox)
{
	if (!mailbox)
		return;
	hp_mailbox_run(mailbox);
	close(mailbox->fd);
	pthread_mutex_destroy(&mailbox->lock);
	free(mailbox);
}

int hp_mailbox_post(struct hp_mailbox *mailbox, hp_letter_fn fn, void *arg)
{
	const uint64_t one = 1;
	struct letter *letter = malloc(sizeof(*letter));

	if (!letter)
		return -ENOMEM;
	*letter = (struct letter){.fn = fn, .arg = arg};
	pthread_mutex_lock(&mailbox->lock);
	*mailbox->last = letter;
	mailbox->last = &letter->next;
	pthread_mutex_unlock(&mailbox->lock);
	/* Can only fail when the counter is full, and then the descriptor is readable anyway. */
	if (write(mailbox->fd, &one, sizeof(one)) < 0)
		return 0;
	return 0;
}

int hp_mailbox_fd(const struct hp_mailbox *mailbox)
{
	return mailbox->fd;
}

void hp_mailbox_run(struct hp_mailbox *mailbox)
{
	struct letter *letter;
	uint64_t count;

	/* Emptied before the list is taken: a post in between makes it readable again. */
	if (read(mailbox->fd, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_lock(&mailbox->lock);
	letter = mailbox->first;
	mailbox->first = NULL;
	mailbox->last = &mailbox->first;
	pthread_mutex_unlock(&mailbox->lock);
	while (letter) {
		struct letter *next = letter->next;

		letter->fn(letter->arg);
		free(letter);
		letter = next;
	}
}
