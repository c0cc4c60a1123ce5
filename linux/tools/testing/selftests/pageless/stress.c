// SPDX-License-Identifier: GPL-2.0
/*
 * Processes and threads that fault, store, read, sync, punch, truncate, remap
 * and fork on DAX files for a while, each verifying its own data.  Races
 * between faults, truncation and writeback show as wrong data or a hang.
 *
 *   stress [--seconds S] [--tolerate-loss] DIR
 *
 * Says "ready" when all are at work.  With --tolerate-loss it is load for a
 * device that is taken away: SIGBUS, and the errnos of loss[], are counted and are
 * no failure, wrong data still is; who meets nothing but loss stops early.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include "dax_test.h"

#define PROCESSES	4
#define THREADS		4		/* of each process */
#define SLICE		PMD_SZ		/* a thread's own part of its process's file */
#define PAGES		((int)(SLICE / PAGE_SZ))
#define UNKNOWN		UINT64_MAX	/* seed of a page that an error left undefined */
#define ENOUGH		200		/* losses in a row, with no access to data between */

enum { STORE, LOAD, WRITE, READ, MSYNC, FSYNC, PUNCH, REMAP, FORK, TRUNCATE, TOUCH, OPS };

static const char * const op_name[OPS] = {
	"store", "load", "write", "read", "msync", "fsync", "punch", "remap", "fork",
	"truncate", "touch"
};

/*
 * What the loss of a device looks like: EROFS is that of ext4 whose journal was aborted.
 * No errno that says that data is damaged.
 */
static const int loss[] = { EIO, ENODEV, EROFS };

/* Shared by all processes. */
struct totals {
	unsigned long ops[OPS];		/* atomic */
	unsigned long losses[ARRAY_SIZE(loss)];	/* atomic */
	unsigned long failures;		/* atomic */
	int working;			/* atomic: threads that have begun */
};

/* One thread.  Its slice holds pattern seed[] page by page; seed 0 is zeros. */
struct worker {
	int fd;
	int tail_fd;			/* truncated by all threads of the process */
	off_t off;			/* of the slice */
	char *p;			/* the slice, or NULL */
	char *tail;
	unsigned int rand;
	int lost;			/* losses since data was last accessed */
	uint64_t next_seed;
	uint64_t seed[PAGES];
};

static struct totals *totals;
static bool tolerate_loss;
static time_t end_time;
static __thread sigjmp_buf lost_env;
static __thread bool may_lose;

static void count(unsigned long *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void fail(const char *what, off_t off, long detail)
{
	count(&totals->failures);
	printf("# FAILED: %s at %#lx: %ld\n", what, (long)off, detail);
}

/* A SIGBUS ends the operation, not the thread. */
static void on_sigbus(int sig)
{
	if (may_lose)
		siglongjmp(lost_env, sig);
	_exit(2);
}

/* Counts a loss; false if it is none, or none is allowed. */
static bool is_loss(int err)
{
	for (unsigned int i = 0; tolerate_loss && i < ARRAY_SIZE(loss); i++) {
		if (err == loss[i]) {
			count(&totals->losses[i]);
			return true;
		}
	}
	return false;
}

/* After a call that failed: a loss if that is allowed, else a failure. */
static void failed_call(struct worker *w, const char *what, off_t off)
{
	if (is_loss(errno))
		w->lost++;
	else
		fail(what, off, -errno);
}

/* Pages of the slice */

static void check_page(struct worker *w, int page, const void *data)
{
	off_t at = w->off + page * PAGE_SZ;
	ssize_t bad;

	if (w->seed[page] == UNKNOWN)
		return;
	if (!w->seed[page]) {
		if (!dax_all_zero(data, PAGE_SZ))
			fail("data where a hole was punched", at, page);
		return;
	}
	bad = dax_mismatch(data, PAGE_SZ, at, w->seed[page]);
	if (bad >= 0)
		fail("wrong data", bad, w->seed[page]);
}

static void store_page(struct worker *w, int page)
{
	uint64_t seed = ++w->next_seed;

	/* Until it is complete, an error leaves it undefined. */
	w->seed[page] = UNKNOWN;
	dax_fill(w->p + page * PAGE_SZ, PAGE_SZ, w->off + page * PAGE_SZ, seed);
	w->seed[page] = seed;
	w->lost = 0;
}

static void load_page(struct worker *w, int page)
{
	dax_load(w->p + page * PAGE_SZ);
	check_page(w, page, w->p + page * PAGE_SZ);
	w->lost = 0;
}

static void write_page(struct worker *w, int page)
{
	off_t at = w->off + page * PAGE_SZ;
	uint64_t buf[PAGE_SZ / 8], seed = ++w->next_seed;

	w->seed[page] = UNKNOWN;
	dax_fill(buf, PAGE_SZ, at, seed);
	if (pwrite(w->fd, buf, PAGE_SZ, at) == PAGE_SZ) {
		w->seed[page] = seed;
		w->lost = 0;
		return;
	}
	failed_call(w, "write", at);
}

static void read_page(struct worker *w, int page)
{
	off_t at = w->off + page * PAGE_SZ;
	uint64_t buf[PAGE_SZ / 8];

	if (pread(w->fd, buf, PAGE_SZ, at) != PAGE_SZ) {
		failed_call(w, "read", at);
		return;
	}
	check_page(w, page, buf);
	w->lost = 0;
}

static void punch_pages(struct worker *w, int page)
{
	int nr = rand_r(&w->rand) % 64 ? 1 + rand_r(&w->rand) % 8 : PAGES;
	off_t at;

	if (page + nr > PAGES)
		page = PAGES - nr;
	at = w->off + page * PAGE_SZ;
	for (int i = 0; i < nr; i++)
		w->seed[page + i] = UNKNOWN;
	if (fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, nr * PAGE_SZ)) {
		failed_call(w, "punch", at);
		return;
	}
	memset(&w->seed[page], 0, nr * sizeof(w->seed[0]));
}

/* The slice and the tail as a whole */

static void remap(struct worker *w)
{
	if (w->p)
		munmap(w->p, SLICE);
	w->p = dax_try_map(w->fd, w->off, SLICE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   rand_r(&w->rand) % 2);
	if (!w->p)
		failed_call(w, "mmap", w->off);
}

/*
 * A child sees all of the slice.  What it finds wrong it has counted, and SIGBUS ends it with status 2;
 * any other signal says that its page table is no copy of the parent's.
 */
static void fork_and_check(struct worker *w)
{
	int status;
	pid_t pid;

	/* From its first instruction on. */
	may_lose = false;
	pid = fork();
	may_lose = pid != 0;
	if (pid < 0) {
		fail("fork", w->off, -errno);
		return;
	}
	if (!pid) {
		for (int i = 0; i < PAGES; i++)
			check_page(w, i, w->p + i * PAGE_SZ);
		_exit(0);
	}
	status = dax_wait(pid);
	if (status && !(status == 2 && is_loss(EIO)))
		fail("child died", w->off, status);
}

/* Others touch the tail meanwhile, so SIGBUS there is no loss. */
static void truncate_tail(struct worker *w)
{
	off_t size = rand_r(&w->rand) % (2 * SLICE);

	if (ftruncate(w->tail_fd, size))
		failed_call(w, "truncate", size);
}

static void touch_tail(struct worker *w)
{
	size_t at = rand_r(&w->rand) % (2 * SLICE);

	if (sigsetjmp(lost_env, 1))
		return;
	if (rand_r(&w->rand) % 2)
		dax_store(w->tail + at, 1);
	else
		dax_load(w->tail + at);
}

static void do_op(struct worker *w, int op, int page)
{
	switch (op) {
	case STORE:
		store_page(w, page);
		break;
	case LOAD:
		load_page(w, page);
		break;
	case WRITE:
		write_page(w, page);
		break;
	case READ:
		read_page(w, page);
		break;
	case MSYNC:
		if (msync(w->p + page * PAGE_SZ, PAGE_SZ, MS_SYNC))
			failed_call(w, "msync", w->off);
		break;
	case FSYNC:
		if (fsync(w->fd))
			failed_call(w, "fsync", w->off);
		break;
	case PUNCH:
		punch_pages(w, page);
		break;
	case REMAP:
		remap(w);
		break;
	case FORK:
		fork_and_check(w);
		break;
	case TRUNCATE:
		truncate_tail(w);
		break;
	default:
		touch_tail(w);
	}
}

/* Of 64: mostly faults and data, seldom what stops the others. */
static int pick_op(struct worker *w)
{
	static const unsigned char share[OPS] = { 16, 12, 8, 8, 4, 1, 4, 2, 1, 2, 6 };
	int n = rand_r(&w->rand) % 64, op = 0;

	if (!w->p)
		return REMAP;
	while (n >= share[op])
		n -= share[op++];
	return op;
}

static void step(struct worker *w)
{
	int op = pick_op(w);

	if (sigsetjmp(lost_env, 1)) {
		errno = EIO;
		failed_call(w, "SIGBUS", w->off);
		return;
	}
	do_op(w, op, rand_r(&w->rand) % PAGES);
	count(&totals->ops[op]);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	may_lose = true;
	w->tail = dax_map(w->tail_fd, 0, 2 * SLICE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  rand_r(&w->rand) % 2);
	remap(w);
	__atomic_add_fetch(&totals->working, 1, __ATOMIC_RELAXED);
	while (time(NULL) < end_time && w->lost < ENOUGH)
		step(w);
	return NULL;
}

static void run_process(int id)
{
	struct worker *w = calloc(THREADS, sizeof(*w));
	pthread_t thread[THREADS];
	int fd = dax_create_hole(THREADS * SLICE), tail_fd = dax_create_hole(SLICE);

	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker) {
			.fd = fd, .tail_fd = tail_fd, .off = i * SLICE, .rand = id * 1000 + i,
		};
		if (pthread_create(&thread[i], NULL, work, &w[i]))
			dax_die("pthread_create");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	_exit(0);
}

static void print_totals(void)
{
	for (int i = 0; i < OPS; i++)
		printf("# %-8s %lu\n", op_name[i], totals->ops[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(loss); i++)
		printf("# losses   %lu: %s\n", totals->losses[i], strerror(loss[i]));
}

static void run(void)
{
	pid_t pid[PROCESSES];

	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (!pid[i])
			run_process(i);
	}
	while (__atomic_load_n(&totals->working, __ATOMIC_RELAXED) < PROCESSES * THREADS &&
	       time(NULL) < end_time)
		usleep(10000);
	printf("# ready\n");
	for (int i = 0; i < PROCESSES; i++) {
		int status = dax_wait(pid[i]);

		if (status)
			fail("process died", i, status);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "tolerate-loss", no_argument, NULL, 'L' },
		{ 0 }
	};
	int seconds = 10, opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			seconds = atoi(optarg);
		else if (opt == 'L')
			tolerate_loss = true;
		else
			return KSFT_FAIL;
	}
	ksft_print_header();
	dax_init(argc - optind + 1, argv + optind - 1);
	totals = (void *)dax_anonymous(sizeof(*totals), MAP_SHARED);
	signal(SIGBUS, on_sigbus);
	end_time = time(NULL) + seconds;
	ksft_set_plan(1);
	run();
	print_totals();
	ksft_test_result(!totals->failures, "stress\n");
	ksft_finished();
}
