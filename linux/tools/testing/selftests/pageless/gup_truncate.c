// SPDX-License-Identifier: GPL-2.0
/*
 * Truncating a DAX file while direct I/O reads into its mapping: the freed
 * blocks go to another file, and the I/O must not write there.  If truncate
 * does not wait for the pinned memory, one file's data ends in another.
 */
#include "dax_fixture.h"

#define LEN	(64 * PAGE_SZ)
#define ROUNDS	12

/*
 * Direct reads of foreign data into the mapping, at random or where others read too, until killed;
 * counts those that read all.
 */
static pid_t reader(int fd, bool huge, bool random, long *reads)
{
	pid_t pid = fork();

	if (!pid) {
		char *p = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, huge);
		int other = open(dax.other, O_RDONLY | O_DIRECT);
		unsigned int seed = getpid();

		for (;;) {
			size_t at = 0;

			if (random)
				at = rand_r(&seed) % ((MAP_LEN - LEN) / PAGE_SZ) * PAGE_SZ;

			/* EFAULT while the file is short. */
			ssize_t ret = pread(other, p + at, LEN, 0);

			if (ret < 0 && errno != EFAULT)
				_exit(1);
			if (ret == (ssize_t)LEN)
				__atomic_add_fetch(reads, 1, __ATOMIC_RELAXED);
		}
	}
	return pid;
}

static void fill_other(void)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN);
	int fd = open(dax.other, O_RDWR | O_DIRECT);

	dax_fill(buf, LEN, 0, 99);
	if (fd < 0 || pwrite(fd, buf, LEN, 0) != (ssize_t)LEN)
		dax_die("write %s with O_DIRECT", dax.other);
	close(fd);
	free(buf);
}

static void expect_untouched_victims(struct __test_metadata *_metadata, int fd, bool punch)
{
	for (int i = 0; i < ROUNDS; i++) {
		int victim;

		if (punch) {
			ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       0, MAP_LEN));
		} else {
			ASSERT_EQ(0, ftruncate(fd, 0));
		}
		/* Likely to be given the blocks. */
		victim = dax_create(MAP_LEN);
		ASSERT_EQ(0, ftruncate(fd, MAP_LEN));
		usleep(1000);
		ASSERT_EQ(-1, dax_file_mismatch(victim, 0, MAP_LEN, 0));
		close(victim);
	}
}

/* Some go through, or it is no test of anything. */
static void expect_reads(struct __test_metadata *_metadata, long *reads)
{
	EXPECT_TRUE(DAX_EVENTUALLY(__atomic_load_n(reads, __ATOMIC_RELAXED) >= 2));
}

static void truncate_under_io(struct __test_metadata *_metadata, int fd, bool huge, bool punch)
{
	long *reads = (void *)dax_anonymous(PAGE_SZ, MAP_SHARED);
	pid_t pid[2];

	fill_other();
	for (int i = 0; i < 2; i++)
		pid[i] = reader(fd, huge, true, reads);
	expect_reads(_metadata, reads);
	expect_untouched_victims(_metadata, fd, punch);
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		EXPECT_EQ(128 + SIGKILL, dax_wait(pid[i]));
	}
}

TEST_F(map, truncate_waits_for_direct_io)
{
	if (!dax.other)
		SKIP(return, "no OTHER file given");
	truncate_under_io(_metadata, self->fd, variant->huge, false);
}

TEST_F(map, hole_punch_waits_for_direct_io)
{
	if (!dax.other)
		SKIP(return, "no OTHER file given");
	truncate_under_io(_metadata, self->fd, variant->huge, true);
}

/* The next read begins before the last one ends: a truncate that lets faults in meanwhile waits for ever. */
TEST_F_TIMEOUT(map, reads_that_overlap_do_not_starve_it, 60)
{
	long *reads = (void *)dax_anonymous(PAGE_SZ, MAP_SHARED);
	pid_t pid[4];

	if (!dax.other)
		SKIP(return, "no OTHER file given");
	fill_other();
	for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = reader(self->fd, variant->huge, false, reads);
		usleep(30000);
	}
	expect_reads(_metadata, reads);
	EXPECT_EQ(0, ftruncate(self->fd, 0));
	for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
		kill(pid[i], SIGKILL);
		EXPECT_EQ(128 + SIGKILL, dax_wait(pid[i]));
	}
}

DAX_TEST_MAIN
