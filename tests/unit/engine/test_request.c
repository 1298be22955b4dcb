/*
 * A letter with an answer: who waits gets it or gives up after 250 ms, and the argument is freed
 * once, by whoever comes last.
 */
#include "engine/request.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/mailbox.h"

#define PATIENCE_NS 250000000ull /* wire contract section 2: an answer within 250 ms */

struct question {
	pthread_t answered_by;
	int answer;
	unsigned runs;
	atomic_uint *frees;
};

static atomic_uint frees;

static int answer(void *arg)
{
	struct question *question = arg;

	question->answered_by = pthread_self();
	question->runs++;
	return question->answer;
}

static void question_free(void *arg)
{
	struct question *question = arg;

	atomic_fetch_add(question->frees, 1);
	free(question);
}

static struct question *question_new(int wanted)
{
	struct question *question = calloc(1, sizeof(*question));

	assert_non_null(question);
	question->answer = wanted;
	question->frees = &frees;
	return question;
}

static int setup(void **state)
{
	atomic_store(&frees, 0);
	return 0;
}

/* The engine's part: runs letters until it is told to stop. */
struct engine {
	struct hp_mailbox *mailbox;
	pthread_t thread;
	atomic_bool stop;
};

static void *engine_run(void *arg)
{
	struct engine *engine = arg;

	while (!atomic_load(&engine->stop)) {
		struct pollfd fd = {.fd = hp_mailbox_fd(engine->mailbox), .events = POLLIN};

		poll(&fd, 1, 10);
		hp_mailbox_run(engine->mailbox);
	}
	return NULL;
}

static void engine_start(struct engine *engine)
{
	*engine = (struct engine){0};
	assert_int_equal(hp_mailbox_new(&engine->mailbox), 0);
	assert_int_equal(pthread_create(&engine->thread, NULL, engine_run, engine), 0);
}

static void engine_stop(struct engine *engine)
{
	atomic_store(&engine->stop, true);
	pthread_join(engine->thread, NULL);
	hp_mailbox_free(engine->mailbox);
}

static void test_answer(void **state)
{
	static const int answers[] = {0, 7, -ENOENT, -ENODEV};
	struct engine engine;

	engine_start(&engine);
	for (size_t i = 0; i < HP_ARRAY_SIZE(answers); i++) {
		struct hp_request_wait *wait = NULL;
		struct question *question = question_new(answers[i]);

		assert_int_equal(
			hp_request_send(engine.mailbox, answer, question, question_free, &wait),
			answers[i]);
		assert_non_null(wait);
		assert_int_equal(question->runs, 1);
		assert_true(pthread_equal(question->answered_by, engine.thread));
		hp_request_free(wait);
	}
	engine_stop(&engine);
	assert_int_equal(atomic_load(&frees), HP_ARRAY_SIZE(answers));
}

/* Nobody runs the mailbox. */
static void test_patience(void **state)
{
	struct hp_mailbox *mailbox = NULL;
	struct hp_request_wait *wait = NULL;
	struct question *question = question_new(3);
	uint64_t before = hp_clock_mono_ns(), took;

	assert_int_equal(hp_mailbox_new(&mailbox), 0);
	assert_int_equal(hp_request_send(mailbox, answer, question, question_free, &wait),
			 -ETIMEDOUT);
	took = hp_clock_mono_ns() - before;
	assert_true(took >= PATIENCE_NS);
	assert_true(took < PATIENCE_NS * 20);
	assert_int_equal(question->runs, 0);

	/* The engine comes too late, and finds the argument as it was. */
	hp_mailbox_run(mailbox);
	assert_int_equal(question->runs, 1);
	assert_int_equal(atomic_load(&frees), 0);
	hp_request_free(wait);
	assert_int_equal(atomic_load(&frees), 1);
	hp_mailbox_free(mailbox);
}

/* Who asked is gone when the engine comes, or when it ends. */
static void test_late_engine_frees(void **state)
{
	for (int ends = 0; ends < 2; ends++) {
		struct hp_mailbox *mailbox = NULL;
		struct hp_request_wait *wait = NULL;
		struct question *question = question_new(3);

		assert_int_equal(hp_mailbox_new(&mailbox), 0);
		assert_int_equal(hp_request_send(mailbox, answer, question, question_free, &wait),
				 -ETIMEDOUT);
		hp_request_free(wait);
		assert_int_equal(atomic_load(&frees), ends);
		if (!ends)
			hp_mailbox_run(mailbox);
		hp_mailbox_free(mailbox);
		assert_int_equal(atomic_load(&frees), ends + 1);
	}
}

struct asker {
	struct engine *engine;
	pthread_t thread;
	atomic_uint freed;
	unsigned right;
};

static void *ask_many(void *arg)
{
	struct asker *asker = arg;

	for (int i = 0; i < 500; i++) {
		struct hp_request_wait *wait = NULL;
		struct question *question = calloc(1, sizeof(*question));

		if (!question)
			break;
		*question = (struct question){.answer = i, .frees = &asker->freed};
		asker->right += hp_request_send(asker->engine->mailbox, answer, question,
						question_free, &wait) == i;
		hp_request_free(wait);
	}
	return NULL;
}

static void test_many_askers(void **state)
{
	struct asker askers[4];
	struct engine engine;

	engine_start(&engine);
	for (unsigned i = 0; i < HP_ARRAY_SIZE(askers); i++) {
		askers[i] = (struct asker){.engine = &engine};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_many, &askers[i]), 0);
	}
	for (unsigned i = 0; i < HP_ARRAY_SIZE(askers); i++)
		pthread_join(askers[i].thread, NULL);
	engine_stop(&engine);
	for (unsigned i = 0; i < HP_ARRAY_SIZE(askers); i++) {
		assert_int_equal(askers[i].right, 500);
		assert_int_equal(atomic_load(&askers[i].freed), 500);
	}
}

static void test_free_null(void **state)
{
	hp_request_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_answer, setup),
		cmocka_unit_test_setup(test_patience, setup),
		cmocka_unit_test_setup(test_late_engine_frees, setup),
		cmocka_unit_test_setup(test_many_askers, setup),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
