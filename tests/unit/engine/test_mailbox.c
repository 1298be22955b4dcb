/* Letters: run once each, in the order of posting, on the thread that runs the mailbox. */
#include "engine/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define POSTERS 4
#define LETTERS 5000

struct fixture {
	struct hp_mailbox *mailbox;
	unsigned order[8];
	unsigned n;
};

struct note {
	struct fixture *fixture;
	unsigned number;
	bool again; /* posts itself once more */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(hp_mailbox_new(&fixture->mailbox), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_mailbox_free(fixture->mailbox);
	free(fixture);
	return 0;
}

static bool readable(const struct hp_mailbox *mailbox, int timeout_ms)
{
	struct pollfd fd = {.fd = hp_mailbox_fd(mailbox), .events = POLLIN};

	return poll(&fd, 1, timeout_ms) == 1 && fd.revents == POLLIN;
}

static void read_note(void *arg)
{
	struct note *note = arg;
	struct fixture *fixture = note->fixture;

	fixture->order[fixture->n++] = note->number;
	if (note->again) {
		note->again = false;
		assert_int_equal(hp_mailbox_post(fixture->mailbox, read_note, note), 0);
	}
}

static void test_order(void **state)
{
	struct fixture *fixture = *state;
	struct note notes[3];

	assert_false(readable(fixture->mailbox, 0));
	hp_mailbox_run(fixture->mailbox); /* nothing waits: does nothing, and does not block */
	for (unsigned i = 0; i < 3; i++) {
		notes[i] = (struct note){.fixture = fixture, .number = i + 1};
		assert_int_equal(hp_mailbox_post(fixture->mailbox, read_note, &notes[i]), 0);
		assert_true(readable(fixture->mailbox, 0));
	}
	assert_int_equal(fixture->n, 0); /* posting runs nothing */
	hp_mailbox_run(fixture->mailbox);
	assert_int_equal(fixture->n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fixture->order[i], i + 1);
	assert_false(readable(fixture->mailbox, 0));
	hp_mailbox_run(fixture->mailbox);
	assert_int_equal(fixture->n, 3);
}

/* Posted by a letter: for the next run, else one could keep the engine here for ever. */
static void test_letter_that_posts(void **state)
{
	struct fixture *fixture = *state;
	struct note first = {.fixture = fixture, .number = 1, .again = true};
	struct note second = {.fixture = fixture, .number = 2};

	assert_int_equal(hp_mailbox_post(fixture->mailbox, read_note, &first), 0);
	assert_int_equal(hp_mailbox_post(fixture->mailbox, read_note, &second), 0);
	hp_mailbox_run(fixture->mailbox);
	assert_int_equal(fixture->n, 2);
	assert_true(readable(fixture->mailbox, 0));
	hp_mailbox_run(fixture->mailbox);
	assert_int_equal(fixture->n, 3);
	assert_int_equal(fixture->order[0], 1);
	assert_int_equal(fixture->order[1], 2);
	assert_int_equal(fixture->order[2], 1);
	assert_false(readable(fixture->mailbox, 0));
}

struct poster {
	struct hp_mailbox *mailbox;
	pthread_t thread;
	unsigned posted, seen;
	bool in_order;
};

struct numbered {
	struct poster *poster;
	unsigned number;
};

static void read_numbered(void *arg)
{
	struct numbered *letter = arg;

	letter->poster->in_order &= letter->number == letter->poster->seen++;
	free(letter);
}

static void *post_many(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < LETTERS; i++) {
		struct numbered *letter = malloc(sizeof(*letter));

		if (!letter)
			break;
		*letter = (struct numbered){.poster = poster, .number = i};
		if (hp_mailbox_post(poster->mailbox, read_numbered, letter) < 0) {
			free(letter);
			break;
		}
		poster->posted++;
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture *fixture = *state;
	struct poster posters[POSTERS];
	unsigned seen = 0;

	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.mailbox = fixture->mailbox, .in_order = true};
		assert_int_equal(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]),
				 0);
	}
	while (seen < POSTERS * LETTERS) {
		assert_true(readable(fixture->mailbox, 20000));
		hp_mailbox_run(fixture->mailbox);
		seen = 0;
		for (unsigned i = 0; i < POSTERS; i++)
			seen += posters[i].seen;
	}
	for (unsigned i = 0; i < POSTERS; i++) {
		pthread_join(posters[i].thread, NULL);
		assert_int_equal(posters[i].posted, LETTERS);
		assert_int_equal(posters[i].seen, LETTERS);
		assert_true(posters[i].in_order);
	}
}

/* What is left is run, so that letters can free what they own. */
static void test_free_runs_the_rest(void **state)
{
	struct poster poster = {.in_order = true};
	struct hp_mailbox *mailbox = NULL;

	assert_int_equal(hp_mailbox_new(&mailbox), 0);
	poster.mailbox = mailbox;
	post_many(&poster);
	hp_mailbox_free(mailbox);
	assert_int_equal(poster.seen, LETTERS);
	assert_true(poster.in_order);
	hp_mailbox_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_letter_that_posts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_threads, setup, teardown),
		cmocka_unit_test(test_free_runs_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
