// SPDX-License-Identifier: GPL-2.0
/*
 * A futex in a DAX file is one and the same for every process that maps the
 * file shared, wherever and at whatever level it is mapped, and nobody else's.
 * Process-shared locks in databases hang or do not exclude if it is not.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include "dax_fixture.h"

/* Futex words: in the first chunk and in the last, far from a page's start. */
#define WORD_A 1052
#define WORD_B (2 * PMD_SZ + 5 * PAGE_SZ + 4)

static long futex(char *p, int op, int val, const struct timespec *timeout, char *p2)
{
	return syscall(SYS_futex, p, op, val, timeout, p2, 0);
}

static long futex_wait(char *p, int val, int seconds)
{
	struct timespec ts = { .tv_sec = seconds };

	return futex(p, FUTEX_WAIT, val, &ts, NULL);
}

/* Wake until as many were asleep there. */
static long futex_wake(char *p, int n)
{
	long woken = 0, ret;

	DAX_EVENTUALLY((ret = futex(p, FUTEX_WAKE, n - woken, NULL, NULL)) < 0 ||
		       (woken += ret) >= n);
	return ret < 0 ? ret : woken;
}

/* The same file, at another address and at the other level. */
static char *map_elsewhere(int fd, int flags, bool huge)
{
	char *p = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, flags, !huge);

	for (size_t off = 0; off < MAP_LEN; off += PMD_SZ)
		if (dax_try_load(p + off))
			_exit(9);
	return p;
}

static void set_words(char *p, int a, int b)
{
	__atomic_store_n((int *)(p + WORD_A), a, __ATOMIC_RELAXED);
	__atomic_store_n((int *)(p + WORD_B), b, __ATOMIC_RELAXED);
}

static pid_t waiting_child(int fd, size_t word, int flags, bool huge, int seconds)
{
	pid_t pid = fork();

	if (!pid) {
		char *q = map_elsewhere(fd, flags, huge);

		_exit(futex_wait(q + word, 1, seconds) ? (errno == ETIMEDOUT ? 2 : 3) : 0);
	}
	return pid;
}

TEST_F(map, wake_through_another_mapping)
{
	size_t word[2] = { WORD_A, WORD_B };

	set_words(self->p, 1, 1);
	for (int i = 0; i < 2; i++) {
		pid_t pid = waiting_child(self->fd, word[i], MAP_SHARED, variant->huge, 60);

		EXPECT_EQ(1, futex_wake(self->p + word[i], 1)) TH_LOG("%s", strerror(errno));
		EXPECT_EQ(0, dax_wait(pid));
	}
}

TEST_F(map, wait_returns_when_the_value_differs)
{
	set_words(self->p, 2, 2);
	EXPECT_EQ(EAGAIN, ERRNO_OF(futex_wait(self->p + WORD_A, 1, 1)));
	EXPECT_EQ(EAGAIN, ERRNO_OF(futex_wait(self->p + WORD_B, 1, 1)));
}

TEST_F(map, words_in_one_page_are_different_futexes)
{
	pid_t pid;

	set_words(self->p, 1, 1);
	pid = waiting_child(self->fd, WORD_A, MAP_SHARED, variant->huge, 60);
	usleep(100000);
	EXPECT_EQ(0, futex(self->p + WORD_A + 4, FUTEX_WAKE, 9, NULL, NULL));
	EXPECT_EQ(0, futex(self->p + WORD_A + PAGE_SZ, FUTEX_WAKE, 9, NULL, NULL));
	EXPECT_EQ(0, futex(self->p + WORD_B, FUTEX_WAKE, 9, NULL, NULL));
	EXPECT_EQ(1, futex_wake(self->p + WORD_A, 1));
	EXPECT_EQ(0, dax_wait(pid));
}

TEST_F(map, files_are_different)
{
	int fd = dax_create(MAP_LEN);
	char *other = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	pid_t pid;

	set_words(self->p, 1, 1);
	set_words(other, 1, 1);
	pid = waiting_child(self->fd, WORD_A, MAP_SHARED, variant->huge, 60);
	usleep(100000);
	EXPECT_EQ(0, futex(other + WORD_A, FUTEX_WAKE, 9, NULL, NULL));
	EXPECT_EQ(1, futex_wake(self->p + WORD_A, 1));
	EXPECT_EQ(0, dax_wait(pid));
}

/* The word of a private mapping is a copy: no wake must cross. */
TEST_F(map, private_mapping_is_its_own)
{
	pid_t pid;

	set_words(self->p, 1, 1);
	pid = waiting_child(self->fd, WORD_A, MAP_PRIVATE, variant->huge, 2);
	for (int i = 0; i < 5; i++) {
		usleep(100000);
		EXPECT_EQ(0, futex(self->p + WORD_A, FUTEX_WAKE, 9, NULL, NULL));
	}
	EXPECT_EQ(2, dax_wait(pid)) TH_LOG("2 is: timed out");
}

TEST_F(map, requeue_to_another_chunk)
{
	pid_t pid[2];
	long moved = 0, ret;

	set_words(self->p, 1, 1);
	for (int i = 0; i < 2; i++)
		pid[i] = waiting_child(self->fd, WORD_A, MAP_SHARED, variant->huge, 60);
	/* Wake none, move all. */
	DAX_EVENTUALLY((ret = futex(self->p + WORD_A, FUTEX_REQUEUE, 0, (void *)9L,
				    self->p + WORD_B)) < 0 || (moved += ret) >= 2);
	EXPECT_LE(0, ret);
	EXPECT_EQ(2, moved);
	EXPECT_EQ(0, futex(self->p + WORD_A, FUTEX_WAKE, 9, NULL, NULL));
	EXPECT_EQ(2, futex_wake(self->p + WORD_B, 2));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, dax_wait(pid[i]));
}

/* The kernel itself stores to the second word. */
TEST_F(map, wake_op_stores_to_the_file)
{
	int op = FUTEX_OP(FUTEX_OP_SET, 77, FUTEX_OP_CMP_EQ, 1), word;

	set_words(self->p, 1, 1);
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, syscall(SYS_futex, self->p + WORD_A, FUTEX_WAKE_OP, 1, 1, self->p + WORD_B, op));
	ASSERT_EQ(4, pread(self->fd, &word, 4, WORD_B));
	EXPECT_EQ(77, word);
}

TEST_F(map, beyond_eof_is_a_fault)
{
	ASSERT_EQ(0, ftruncate(self->fd, PMD_SZ));
	EXPECT_EQ(EFAULT, ERRNO_OF(futex_wait(self->p + WORD_B, 1, 1)));
	EXPECT_EQ(0, futex(self->p + WORD_A, FUTEX_WAKE, 1, NULL, NULL));
}

/* Waiting needs no write access. */
TEST_F(map, read_only_mapping_can_wait)
{
	pid_t pid;

	set_words(self->p, 1, 1);
	pid = fork();
	if (!pid) {
		char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);

		_exit(futex_wait(q + WORD_B, 1, 60) != 0);
	}
	EXPECT_EQ(1, futex_wake(self->p + WORD_B, 1));
	EXPECT_EQ(0, dax_wait(pid));
}

DAX_TEST_MAIN
