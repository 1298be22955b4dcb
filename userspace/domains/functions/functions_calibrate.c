#include "domains/functions/functions_calibrate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "domains/functions/functions_load.h"
#include "domains/functions/functions_model.h"
#include "probe/bpfsys.h"
#include "probe/perfsys.h"
#include "target/proc.h"

/*
 * The child runs batches of calls when told and says how long each took. A batch is short enough to fall between
 * two interruptions mostly; medians of batches forget the others. Price of a call: probed batch minus bare batch. Bias:
 * what our own programs measured as its duration, minus the bare body.
 */
#define BATCHES 9
#define CALLS   50

enum { EMULATED, STEPPED, WITH_EXIT, GO, NFUNCTIONS };

void hp_calibration_emulated(void);
void hp_calibration_stepped(void);
void hp_calibration_with_exit(void);
void hp_calibration_exit(void); /* a label, not a function: the ret */
void hp_calibration_go(void);
void hp_calibration_go_entry(void); /* labels */
void hp_calibration_go_exit(void);

__asm__(".pushsection .text\n"
	".type hp_calibration_emulated,@function\n"
	"hp_calibration_emulated: push %rbp\n pop %rbp\n ret\n"
	".size hp_calibration_emulated,.-hp_calibration_emulated\n"
	".type hp_calibration_stepped,@function\n"
	"hp_calibration_stepped: mov $1,%eax\n ret\n"
	".size hp_calibration_stepped,.-hp_calibration_stepped\n"
	".type hp_calibration_with_exit,@function\n"
	"hp_calibration_with_exit: push %rbp\n pop %rbp\n"
	"hp_calibration_exit: ret\n"
	".size hp_calibration_with_exit,.-hp_calibration_with_exit\n"
	/* A goroutine whose stack is everywhere, in the register where Go has it. */
	".type hp_calibration_go,@function\n"
	"hp_calibration_go: push %r14\n lea 1f(%rip),%r14\n call hp_calibration_go_entry\n"
	" pop %r14\n ret\n"
	"hp_calibration_go_entry: push %rbp\n pop %rbp\n"
	"hp_calibration_go_exit: ret\n"
	".balign 8\n1: .quad 0, -1\n"
	".size hp_calibration_go,.-hp_calibration_go\n"
	".popsection\n");

static void (*const functions[])(void) = {
	[EMULATED] = hp_calibration_emulated,
	[STEPPED] = hp_calibration_stepped,
	[WITH_EXIT] = hp_calibration_with_exit,
	[GO] = hp_calibration_go,
};

struct bench {
	const struct hp_functions_object *object;
	pid_t child;
	int orders, answers;  /* our ends of two pipes: which function; it is done */
	uint64_t *elapsed_ns; /* shared: time of the batch */
	int links[6];
};

struct reading {
	uint64_t call_ns;     /* median time of a call */
	uint64_t duration_ns; /* median of what the programs measured, 0 = nothing */
};

/* Only system calls here: another thread may hold any lock at the fork. */
static void child_main(int orders, int answers, uint64_t *elapsed_ns)
{
	uint8_t which;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(orders, &which, 1) == 1) {
		uint64_t start = hp_clock_mono_ns();

		for (unsigned i = 0; i < CALLS; i++)
			functions[which]();
		*elapsed_ns = hp_clock_mono_ns() - start;
		if (write(answers, &which, 1) != 1)
			break;
	}
	_exit(0);
}

static int start(struct bench *bench)
{
	HP_AUTO_FD int orders_out = -1, answers_in = -1;
	int orders[2], answers[2];

	bench->elapsed_ns = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bench->elapsed_ns == MAP_FAILED) {
		bench->elapsed_ns = NULL;
		return -errno;
	}
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	bench->orders = orders[1];
	orders_out = orders[0];
	if (pipe2(answers, O_CLOEXEC) < 0)
		return -errno;
	bench->answers = answers[0];
	answers_in = answers[1];
	bench->child = fork();
	if (bench->child < 0)
		return -errno;
	if (bench->child == 0) {
		close(bench->orders); /* else it would wait for itself */
		child_main(orders_out, answers_in, bench->elapsed_ns);
	}
	return 0;
}

static void stop(struct bench *bench)
{
	if (bench->child > 0) {
		kill(bench->child, SIGKILL);
		waitpid(bench->child, NULL, 0);
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(bench->links); i++) {
		if (bench->links[i] >= 0)
			close(bench->links[i]);
	}
	if (bench->orders >= 0)
		close(bench->orders);
	if (bench->answers >= 0)
		close(bench->answers);
	if (bench->elapsed_ns)
		munmap(bench->elapsed_ns, sizeof(uint64_t));
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t median(uint64_t values[BATCHES])
{
	qsort(values, BATCHES, sizeof(values[0]), compare);
	return values[BATCHES / 2];
}

static int run(const struct bench *bench, uint8_t which, struct reading *ret_reading)
{
	const struct hp_functions_object *object = bench->object;
	uint64_t calls[BATCHES], durations[BATCHES];

	for (unsigned i = 0; i < BATCHES; i++) {
		struct hp_cell before =
			hp_functions_fold(object->cells, object->ncpus, object->nentities, 0);
		struct hp_cell after;
		uint8_t answer;

		if (write(bench->orders, &which, 1) != 1 || read(bench->answers, &answer, 1) != 1)
			return -ECHILD;
		after = hp_functions_fold(object->cells, object->ncpus, object->nentities, 0);
		calls[i] = *bench->elapsed_ns / CALLS;
		durations[i] = after.count > before.count ? (after.sum_ns - before.sum_ns) /
								    (after.count - before.count)
							  : 0;
	}
	*ret_reading = (struct reading){median(calls), median(durations)};
	return 0;
}

/* Offset of our own code in our own file. */
static int offset_of(const struct hp_maps *maps, void (*code)(void), uint64_t *ret_offset)
{
	const struct hp_mapping *mapping = hp_maps_find(maps, (uintptr_t)code);

	if (!mapping)
		return -ENOENT;
	*ret_offset = (uintptr_t)code - mapping->start + mapping->offset;
	return 0;
}

/* One after the other; what sees the end comes first. */
static int attach_events(struct bench *bench, const uint64_t returns[2], uint64_t entry,
			 uint64_t exit)
{
	const struct hp_attach_programs *programs = &bench->object->programs;
	const struct {
		uint64_t offset;
		int prog_fd;
		bool ret;
	} wanted[] = {
		{returns[0], programs->return_fd, true}, {returns[0], programs->paired_fd, false},
		{returns[1], programs->return_fd, true}, {returns[1], programs->paired_fd, false},
		{exit, programs->exit_fd, false},        {entry, programs->entry_fd, false},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(wanted); i++) {
		const struct hp_perf_uprobe probe = {
			.path = "/proc/self/exe",
			.offset = wanted[i].offset,
			.cookie = HP_COOKIE(HP_ENTITY_CALIBRATION, 1),
			.tid = bench->child,
			.ret = wanted[i].ret,
		};

		bench->links[i] = hp_perfsys_link(wanted[i].prog_fd, &probe);
		if (bench->links[i] < 0)
			return bench->links[i];
	}
	return 0;
}

/* Where the target has Go code. */
static int attach_go(struct bench *bench, const struct hp_maps *maps)
{
	const struct hp_attach_programs *programs = &bench->object->programs;
	const uint64_t cookie = HP_COOKIE(HP_ENTITY_CALIBRATION, 1);
	uint64_t entry, exit;
	struct hp_multi multi = {.path = "/proc/self/exe",
				 .pid = bench->child,
				 .offsets = &exit,
				 .cookies = &cookie,
				 .len = 1};
	int r = offset_of(maps, hp_calibration_go_entry, &entry);

	if (r == 0)
		r = offset_of(maps, hp_calibration_go_exit, &exit);
	if (r < 0 || programs->go_entry_fd < 0)
		return r;
	bench->links[4] =
		hp_bpfsys_link_multi(programs->go_exit_fd, HP_ATTACH_UPROBE_MULTI, &multi);
	multi.offsets = &entry;
	bench->links[5] =
		hp_bpfsys_link_multi(programs->go_entry_fd, HP_ATTACH_UPROBE_MULTI, &multi);
	return bench->links[4] < 0 ? bench->links[4] : bench->links[5] < 0 ? bench->links[5] : 0;
}

static int attach_links(struct bench *bench, const uint64_t returns[2], uint64_t entry,
			uint64_t exit)
{
	const struct hp_attach_programs *programs = &bench->object->programs;
	const uint64_t cookies[] = {HP_COOKIE(HP_ENTITY_CALIBRATION, 1),
				    HP_COOKIE(HP_ENTITY_CALIBRATION, 1)};
	struct hp_multi both = {.path = "/proc/self/exe",
				.pid = bench->child,
				.offsets = returns,
				.cookies = cookies,
				.len = 2};
	struct hp_multi one = both;

	one.len = 1;
	if (programs->session_fd >= 0) {
		bench->links[0] =
			hp_bpfsys_link_multi(programs->session_fd, HP_ATTACH_UPROBE_SESSION, &both);
	} else {
		both.ret = 1;
		bench->links[0] =
			hp_bpfsys_link_multi(programs->return_fd, HP_ATTACH_UPROBE_MULTI, &both);
		both.ret = 0;
		bench->links[3] =
			hp_bpfsys_link_multi(programs->paired_fd, HP_ATTACH_UPROBE_MULTI, &both);
		if (bench->links[3] < 0)
			return bench->links[3];
	}
	one.offsets = &exit;
	bench->links[1] = hp_bpfsys_link_multi(programs->exit_fd, HP_ATTACH_UPROBE_MULTI, &one);
	one.offsets = &entry;
	bench->links[2] = hp_bpfsys_link_multi(programs->entry_fd, HP_ATTACH_UPROBE_MULTI, &one);
	for (size_t i = 0; i < 3; i++) {
		if (bench->links[i] < 0)
			return bench->links[i];
	}
	return 0;
}

static int attach(struct bench *bench)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	uint64_t returns[2] = {0}, entry = 0, exit = 0;
	int r = hp_maps_read(getpid(), &maps);

	if (r == 0)
		r = offset_of(maps, hp_calibration_emulated, &returns[0]);
	if (r == 0)
		r = offset_of(maps, hp_calibration_stepped, &returns[1]);
	if (r == 0)
		r = offset_of(maps, hp_calibration_with_exit, &entry);
	if (r == 0)
		r = offset_of(maps, hp_calibration_exit, &exit);
	if (r < 0)
		return r;
	if (bench->object->programs.perf)
		return attach_events(bench, returns, entry, exit);
	r = attach_links(bench, returns, entry, exit);
	return r < 0 ? r : attach_go(bench, maps);
}

static uint32_t above(uint64_t more, uint64_t less)
{
	return more > less ? (uint32_t)(more - less) : 0;
}

static struct hp_price price_of(const struct reading *timed, const struct reading *bare)
{
	return (struct hp_price){
		.timed_ns = above(timed->call_ns, bare->call_ns),
		.bias_ns = above(timed->duration_ns, bare->call_ns),
	};
}

/* Prices of calls whose ends are seen at a ret, from one with an emulated entry: a step at the entry comes on top. */
static void add_exits(const struct reading *timed, const struct reading *bare,
		      const struct hp_price *returns, struct hp_price *exits)
{
	exits[EMULATED] = price_of(timed, bare);
	exits[EMULATED].skip_ns = returns[EMULATED].skip_ns;
	exits[STEPPED] = exits[EMULATED];
	exits[STEPPED].timed_ns += above(returns[STEPPED].timed_ns, returns[EMULATED].timed_ns);
	exits[STEPPED].bias_ns += above(returns[STEPPED].bias_ns, returns[EMULATED].bias_ns);
	exits[STEPPED].skip_ns = returns[STEPPED].skip_ns;
}

static int measure(struct bench *bench, struct hp_prices *prices)
{
	struct hp_control *control = &bench->object->controls[HP_ENTITY_CALIBRATION];
	struct reading bare[NFUNCTIONS], timed[NFUNCTIONS], counted[NFUNCTIONS];
	const struct hp_price *returns = prices->of[HP_PRICE_RETURN];
	int r = 0;

	for (uint8_t i = 0; i < NFUNCTIONS && r == 0; i++)
		r = run(bench, i, &bare[i]);
	if (r == 0)
		r = attach(bench);
	for (uint8_t i = 0; i < NFUNCTIONS && r == 0; i++)
		r = run(bench, i, &timed[i]);
	if (bench->object->programs.session_fd >= 0)
		control->shift = HP_SHIFT_COUNT;
	for (uint8_t i = 0; i < WITH_EXIT && r == 0; i++)
		r = run(bench, i, &counted[i]);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < WITH_EXIT; i++) {
		struct hp_price *price = &prices->of[HP_PRICE_RETURN][i];

		*price = price_of(&timed[i], &bare[i]);
		price->skip_ns = above(counted[i].call_ns, bare[i].call_ns);
	}
	add_exits(&timed[WITH_EXIT], &bare[WITH_EXIT], returns, prices->of[HP_PRICE_EXITS]);
	/* Without Go code it is not attached and costs nothing; perf events cost what exits in any language do. */
	if (bench->object->programs.perf)
		memcpy(prices->of[HP_PRICE_GO], prices->of[HP_PRICE_EXITS],
		       sizeof(prices->of[HP_PRICE_GO]));
	else
		add_exits(&timed[GO], &bare[GO], returns, prices->of[HP_PRICE_GO]);
	return returns[EMULATED].timed_ns && returns[STEPPED].timed_ns ? 0 : -ENODATA;
}

int hp_functions_calibrate(const struct hp_functions_object *object, struct hp_prices *ret_prices)
{
	struct bench bench = {
		.object = object, .orders = -1, .answers = -1, .links = {-1, -1, -1, -1, -1, -1}};
	struct hp_control *control = &object->controls[HP_ENTITY_CALIBRATION];
	struct hp_prices prices = {.calibrated = true};
	int r = start(&bench);

	if (r == 0) {
		__atomic_store_n(object->calibration_tgid, (uint32_t)bench.child, __ATOMIC_RELAXED);
		__atomic_store_n(object->alive_until_ns, hp_clock_mono_ns() + 3000000000ull,
				 __ATOMIC_RELAXED);
		*control = (struct hp_control){.generation = 1};
		r = measure(&bench, &prices);
	}
	*control = (struct hp_control){0};
	__atomic_store_n(object->calibration_tgid, 0, __ATOMIC_RELAXED);
	stop(&bench);
	if (r == 0)
		*ret_prices = prices;
	return r;
}
