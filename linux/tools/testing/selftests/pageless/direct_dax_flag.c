// SPDX-License-Identifier: GPL-2.0
/*
 * While direct I/O reads into the mapping of a DAX file, or writes from it, the
 * file's DAX flag is cleared, the file closed and its inode dropped: opened again
 * it has page cache.  That must wait for the device, or the cache never sees what
 * the device wrote, and nobody knows any more which memory the device reads.
 * DIR is on a mount with dax=inode; needs a gate.
 */
#include <pthread.h>
#include "direct_async.h"
#include "direct_fixture.h"

#define LEN	(256 * PAGE_SZ)
#define AT	(PMD_SZ - LEN / 2)

FIXTURE(flag)
{
	char path[4096];
	int dir;
	int fd;
	char *p;
	int other;
	char *buf;
	struct in_flight io;
	pid_t tid;
	bool is_dax;		/* when it was opened again */
	bool early;		/* that was before the I/O completed */
	bool finished;
};

FIXTURE_VARIANT(flag)
{
	bool into;
	bool huge;
};

FIXTURE_VARIANT_ADD(flag, into_pte) { .into = true };
FIXTURE_VARIANT_ADD(flag, into_pmd) { .into = true, .huge = true };
FIXTURE_VARIANT_ADD(flag, from_pte) { .into = false };
FIXTURE_VARIANT_ADD(flag, from_pmd) { .into = false, .huge = true };

/* A DAX file that keeps its name, in a directory whose files inherit the flag. */
FIXTURE_SETUP(flag)
{
	if (!gate() || !dax.other)
		SKIP(return, "no gate or no OTHER given");
	open_gate();
	snprintf(self->path, sizeof(self->path), "%s/pageless.XXXXXX", dax.dir);
	ASSERT_NE(NULL, mkdtemp(self->path));
	self->dir = open(self->path, O_RDONLY | O_DIRECTORY);
	if (dax_set_flag(self->dir, true))
		SKIP(return, "filesystem without FS_XFLAG_DAX");
	self->fd = dax_open_at(self->dir, "file");
	ASSERT_TRUE(dax_is_dax(self->fd)) TH_LOG("not a mount with dax=inode?");
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, MAP_LEN));
	self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	dax_fill(self->p, MAP_LEN, 0, 0);
	self->other = open(dax.other, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->other);
	self->buf = dax_anonymous(MAP_LEN, MAP_PRIVATE);
	fill_other(self->other, self->buf, LEN, 0, 7);
}

FIXTURE_TEARDOWN(flag)
{
	open_gate();
	unlinkat(self->dir, "file", 0);
	rmdir(self->path);
}

static void *clear_flag(void *arg)
{
	struct _test_data_flag *self = arg;

	__atomic_store_n(&self->tid, gettid(), __ATOMIC_RELEASE);
	if (dax_set_flag(self->fd, false))
		dax_die("clear FS_XFLAG_DAX");
	munmap(self->p, MAP_LEN);
	close(self->fd);
	for (int i = 0; i < 50; i++) {
		if (dax_write_path("/proc/sys/vm/drop_caches", "2"))
			dax_die("drop_caches");
		self->fd = dax_open_at(self->dir, "file");
		self->is_dax = dax_is_dax(self->fd);
		self->early = !self->is_dax && !io_done(&self->io);
		if (!self->is_dax)
			break;
		close(self->fd);
		usleep(10000);
	}
	/* The page cache is what it will be. */
	if (pread(self->fd, self->buf, MAP_LEN, 0) != (ssize_t)MAP_LEN)
		dax_die("pread");
	__atomic_store_n(&self->finished, true, __ATOMIC_RELEASE);
	return NULL;
}

static void expect_file(struct __test_metadata *_metadata, struct _test_data_flag *self, bool into)
{
	ASSERT_EQ((ssize_t)MAP_LEN, pread(self->fd, self->buf, MAP_LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(self->buf, AT, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->buf + AT, LEN, into ? 0 : AT, into ? 7 : 0));
	EXPECT_EQ(-1, dax_mismatch(self->buf + AT + LEN, MAP_LEN - AT - LEN, AT + LEN, 0));
}

TEST_F(flag, change_waits_for_the_device)
{
	pthread_t thread;

	close_gate();
	start_io(&self->io, self->other, variant->into, self->p + AT, LEN);
	expect_pinned(_metadata);
	ASSERT_EQ(0, pthread_create(&thread, NULL, clear_flag, self));
	while (!__atomic_load_n(&self->tid, __ATOMIC_ACQUIRE))
		usleep(100);
	wait_until_blocked(self->tid, &self->finished);
	open_gate();
	pthread_join(thread, NULL);
	EXPECT_EQ((long)LEN, io_result(&self->io));
	EXPECT_FALSE(self->is_dax);
	EXPECT_FALSE(self->early);
	expect_file(_metadata, self, variant->into);
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	expect_file(_metadata, self, variant->into);
	if (!variant->into) {
		read_other(self->other, self->buf, LEN, 0);
		EXPECT_EQ(-1, dax_mismatch(self->buf, LEN, AT, 0)) TH_LOG("the device sent other data");
	}
	expect_no_pins(_metadata);
}

int main(int argc, char **argv)
{
	/* Files are not DAX unless they inherit it. */
	setenv("PAGELESS_NO_DAX_CHECK", "1", 1);
	dax_init(argc, argv);
	atexit(exit_skip_if_all_skipped);
	return test_harness_run(argc, argv);
}
