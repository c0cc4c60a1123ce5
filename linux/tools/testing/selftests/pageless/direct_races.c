// SPDX-License-Identifier: GPL-2.0
/*
 * Threads change the mapping while others do direct I/O with it: the I/O ends
 * with all, a part or EFAULT, touches nothing else, and leaves nothing pinned.
 */
#include <pthread.h>
#include "direct_fixture.h"

#define LEN	(64 * PAGE_SZ)
#define AT	(PMD_SZ - LEN / 2)
#define ROUNDS	150

struct race {
	int fd;
	char *p;
	bool stop;
	long changes;
};

static void protect(struct race *r)
{
	mprotect(r->p + AT, LEN, PROT_NONE);
	mprotect(r->p + AT, LEN, PROT_READ);
	mprotect(r->p + AT, LEN, PROT_READ | PROT_WRITE);
}

/* Something else is there, then the file again. */
static void map_over(struct race *r)
{
	mmap(r->p + AT, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mmap(r->p + AT, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r->fd, AT);
}

static void forget(struct race *r)
{
	madvise(r->p, MAP_LEN, MADV_DONTNEED);
}

static void make_child(struct race *r)
{
	pid_t pid = fork();

	if (!pid) {
		dax_load(r->p + AT);
		_exit(0);
	}
	if (pid > 0)
		dax_wait(pid);
}

static void truncate_and_grow(struct race *r)
{
	if (ftruncate(r->fd, PMD_SZ) || ftruncate(r->fd, MAP_LEN))
		dax_die("ftruncate");
}

static void write_back(struct race *r)
{
	if (fsync(r->fd))
		dax_die("fsync");
}

static void (* const changes[])(struct race *r) = {
	protect, map_over, forget, make_child, write_back, truncate_and_grow
};

static void *change(void *arg)
{
	struct race *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		changes[r->changes % ARRAY_SIZE(changes)](r);
		__atomic_add_fetch(&r->changes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* After a short direct read of a block device the kernel copies, to any byte. */
static bool plausible(ssize_t ret)
{
	return ret < 0 ? errno == EFAULT : ret <= (ssize_t)LEN;
}

TEST_F(direct, mapping_changes_under_io)
{
	struct race race = { .fd = self->fd, .p = self->p };
	long whole = 0;
	pthread_t thread;
	ssize_t ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, change, &race));
	for (int i = 0; i < ROUNDS || race.changes < 3 * (long)ARRAY_SIZE(changes); i++) {
		ret = pread(self->other, self->p + AT, LEN, AT);
		ASSERT_TRUE(plausible(ret)) TH_LOG("read: %zd, errno %d", ret, errno);
		whole += ret == (ssize_t)LEN;
		ret = pwrite(self->other, self->p + AT, LEN, OTHER_LEN / 2);
		ASSERT_TRUE(plausible(ret)) TH_LOG("write: %zd, errno %d", ret, errno);
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0, whole);
	expect_no_pins(_metadata);

	/* What is around it, and that it works again. */
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, AT, 0));
	ASSERT_EQ((ssize_t)LEN, pread(self->other, self->p + AT, LEN, AT));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, AT, LEN, 7));
	read_other(self->other, self->back, OTHER_LEN, 0);
	EXPECT_EQ(-1, dax_mismatch(self->back, OTHER_LEN / 2, 0, 7));
	EXPECT_EQ(-1, dax_mismatch(self->back + OTHER_LEN / 2 + LEN, OTHER_LEN / 2 - LEN,
				   OTHER_LEN / 2 + LEN, 7));
}

/* Two processes and the kernel work on the same frames. */
TEST_F(direct, processes_share_the_mapping)
{
	pid_t pid[3];

	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		for (int n = 0; n < ROUNDS; n++) {
			size_t at = (n * 3 + i) % 64 * PAGE_SZ;

			if (pread(self->other, self->p + at, LEN, at) != (ssize_t)LEN ||
			    pwrite(self->other, self->p + at, LEN, at) != (ssize_t)LEN)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, dax_wait(pid[i]));
	/* All moved the same bytes between the same places. */
	EXPECT_EQ(-1, dax_mismatch(self->p, 64 * PAGE_SZ + LEN - PAGE_SZ, 0, 7));
	read_other(self->other, self->back, OTHER_LEN, 0);
	EXPECT_EQ(-1, dax_mismatch(self->back, OTHER_LEN, 0, 7));
	expect_no_pins(_metadata);
}

DAX_TEST_MAIN
