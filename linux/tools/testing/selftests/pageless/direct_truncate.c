// SPDX-License-Identifier: GPL-2.0
/*
 * While direct I/O is in flight, into a DAX mapping or from it, the blocks of its
 * buffer are taken from the file.  That must wait for the device: it would write
 * into another file, or send another file's data.  The file system is full, so
 * the next file, the marker, is given these blocks at once.
 *
 * "Waits" is told by order: when the operation returns, the I/O has completed.
 * PAGELESS_EIO=1 says that the device fails the I/O in the end.
 */
#include <liburing.h>
#include <pthread.h>
#include <sys/statfs.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include "direct_async.h"
#include "direct_fixture.h"

#define MAX_EXTENTS	32
#define STEP		(16 * PAGE_SZ)

struct blocks {
	struct fiemap map;
	struct fiemap_extent extent[MAX_EXTENTS];
};

struct operation;

FIXTURE(file)
{
	FIXTURE_DATA(direct) d;
	const struct operation *op;
	struct in_flight io;
	int partner;		/* another file with the same data, for clone and dedupe */
	int marker;
	size_t marker_len;
	struct blocks before;	/* of the buffer */
	pid_t tid;
	int err;		/* of the operation */
	bool too_late;		/* the I/O had completed before the operation began */
	int status;		/* that dedupe has to give */
	bool returned_early;	/* before the I/O completed */
	bool marked_early;
	bool finished;
};

FIXTURE_VARIANT(file)
{
	bool into;
	bool huge;
};

FIXTURE_VARIANT_ADD(file, into_pte) { .into = true };
FIXTURE_VARIANT_ADD(file, into_pmd) { .into = true, .huge = true };
FIXTURE_VARIANT_ADD(file, from_pte) { .into = false };
FIXTURE_VARIANT_ADD(file, from_pmd) { .into = false, .huge = true };

struct operation {
	int (*run)(struct _test_data_file *self);
	void (*make_partner)(struct _test_data_file *self);	/* needs reflink */
	bool frees;	/* the buffer's blocks, or some of them */
	bool later;	/* not before somebody asks for blocks */
	bool room;	/* needs blocks itself */
	bool moves;	/* what is read goes to new blocks: only a write has to be waited for */
};

/* ---- operations --------------------------------------------------------- */

static int set_size(struct _test_data_file *self, off_t size)
{
	return ERRNO_OF(ftruncate(self->d.fd, size));
}

static int truncate_to_nothing(struct _test_data_file *self)
{
	return set_size(self, 0);
}

static int truncate_in_the_buffer(struct _test_data_file *self)
{
	return set_size(self, PMD_SZ);
}

static int open_truncating(struct _test_data_file *self)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->d.fd);
	return ERRNO_OF(open(path, O_RDWR | O_TRUNC));
}

static int alter(struct _test_data_file *self, int mode)
{
	return ERRNO_OF(fallocate(self->d.fd, mode, PMD_SZ, PMD_SZ));
}

static int punch_hole(struct _test_data_file *self)
{
	return alter(self, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int collapse(struct _test_data_file *self)
{
	return alter(self, FALLOC_FL_COLLAPSE_RANGE);
}

static int zero_range(struct _test_data_file *self)
{
	return alter(self, FALLOC_FL_ZERO_RANGE);
}

/* Nobody maps the file any more, the device still has its blocks. */
static int truncate_unmapped(struct _test_data_file *self)
{
	munmap(self->d.p, MAP_LEN);
	return set_size(self, 0);
}

/* Unlinked it is from the start; with this it is gone. */
static int drop_last_reference(struct _test_data_file *self)
{
	munmap(self->d.p, MAP_LEN);
	return ERRNO_OF(close(self->d.fd));
}

static void make_partner(struct _test_data_file *self)
{
	self->partner = dax_create(MAP_LEN);
}

static void make_empty_partner(struct _test_data_file *self)
{
	self->partner = dax_create_hole(MAP_LEN);
}

static int clone_over_it(struct _test_data_file *self)
{
	return ERRNO_OF(ioctl(self->d.fd, FICLONE, self->partner));
}

static int clone_of_it(struct _test_data_file *self)
{
	return ERRNO_OF(ioctl(self->partner, FICLONE, self->d.fd));
}

static void make_clone(struct _test_data_file *self)
{
	make_empty_partner(self);
	if (ioctl(self->partner, FICLONE, self->d.fd))
		dax_die("FICLONE");
}

static int dedupe(struct _test_data_file *self)
{
	union {
		struct file_dedupe_range range;
		char room[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)];
	} u = { .range = { .src_length = MAP_LEN, .dest_count = 1 } };

	u.range.info[0].dest_fd = self->d.fd;
	if (ioctl(self->partner, FIDEDUPERANGE, &u.range))
		return errno;
	if (u.range.info[0].status < 0)
		return -u.range.info[0].status;
	return u.range.info[0].status == self->status ? 0 : EBADE;
}

/* ---- blocks ------------------------------------------------------------- */

static void find_blocks(int fd, off_t off, size_t len, struct blocks *b)
{
	*b = (struct blocks){
		.map = {
			.fm_start = off,
			.fm_length = len,
			.fm_flags = FIEMAP_FLAG_SYNC,
			.fm_extent_count = MAX_EXTENTS,
		},
	};
	if (ioctl(fd, FS_IOC_FIEMAP, &b->map))
		dax_die("FS_IOC_FIEMAP");
}

static bool share_blocks(const struct blocks *a, const struct blocks *b)
{
	for (unsigned int i = 0; i < a->map.fm_mapped_extents; i++) {
		const struct fiemap_extent *x = &a->extent[i];

		for (unsigned int j = 0; j < b->map.fm_mapped_extents; j++) {
			const struct fiemap_extent *y = &b->extent[j];

			if (x->fe_physical < y->fe_physical + y->fe_length &&
			    y->fe_physical < x->fe_physical + x->fe_length)
				return true;
		}
	}
	return false;
}

/* Take all that is free, but for what is less than STEP; the file lives as long as the process. */
static void fill_file_system(void)
{
	int fd = dax_tmpfile(dax.dir);
	struct statfs sfs;
	off_t at = 0;
	size_t len;

	if (fstatfs(fd, &sfs))
		dax_die("fstatfs");
	for (len = sfs.f_bfree * sfs.f_bsize; len >= STEP; len = len / 2 / STEP * STEP)
		while (!fallocate(fd, 0, at, len))
			at += len;
}

/* The file got new blocks, for which there was room: those under I/O are the clone's alone. */
static int truncate_the_clone(struct _test_data_file *self)
{
	fill_file_system();
	return ERRNO_OF(ftruncate(self->partner, 0));
}

static int leave_them_by_stores(struct _test_data_file *self)
{
	dax_fill(self->d.p, MAP_LEN, 0, 3);
	return truncate_the_clone(self);
}

static int leave_them_by_write(struct _test_data_file *self)
{
	dax_fill(self->d.shadow, MAP_LEN, 0, 3);
	if (pwrite(self->d.fd, self->d.shadow, MAP_LEN, 0) != (ssize_t)MAP_LEN)
		return errno ?: EIO;
	return truncate_the_clone(self);
}

static int leave_them_by_unsharing(struct _test_data_file *self)
{
	if (fallocate(self->d.fd, FALLOC_FL_UNSHARE_RANGE, 0, MAP_LEN))
		return errno;
	return truncate_the_clone(self);
}

/* The marker takes what is free now, up to the size of the file. */
static size_t fill_marker(int fd)
{
	static char buf[STEP];
	size_t len = 0;

	for (; len < MAP_LEN; len += STEP) {
		dax_fill(buf, STEP, len, 5);
		if (pwrite(fd, buf, STEP, len) != STEP)
			break;
	}
	return len;
}

/* What earlier tests freed is free when it is on the log. */
static void sync_file_system(void)
{
	int fd = open(dax.dir, O_RDONLY | O_DIRECTORY);

	if (fd < 0 || syncfs(fd))
		dax_die("syncfs");
	close(fd);
}

/* ---- the test ----------------------------------------------------------- */

FIXTURE_SETUP(file)
{
	const FIXTURE_VARIANT(direct) size = { .huge = variant->huge };

	open_gate();
	sync_file_system();
	direct_setup(_metadata, &self->d, &size);
	if (_metadata->exit_code == KSFT_SKIP)
		return;
	self->marker = dax_tmpfile(dax.dir);
	find_blocks(self->d.fd, 0, MAP_LEN, &self->before);
	if (!variant->into)
		fill_other(self->d.other, self->d.back, MAP_LEN, 0, 9);
}

FIXTURE_TEARDOWN(file)
{
	open_gate();
}

static void *operate(void *arg)
{
	struct _test_data_file *self = arg;

	__atomic_store_n(&self->tid, gettid(), __ATOMIC_RELEASE);
	self->too_late = io_done(&self->io);
	if (!self->too_late)
		self->err = self->op->run(self);
	self->returned_early = !io_done(&self->io);
	if (self->op->frees && !self->too_late) {
		self->marker_len = fill_marker(self->marker);
		self->marked_early = !io_done(&self->io);
	}
	__atomic_store_n(&self->finished, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The marker was given blocks of the buffer, so it could tell, and has what was written to it. */
static void expect_marker(struct __test_metadata *_metadata, struct _test_data_file *self)
{
	struct blocks after;

	EXPECT_LE(PMD_SZ, self->marker_len);
	find_blocks(self->marker, 0, self->marker_len, &after);
	EXPECT_TRUE(share_blocks(&self->before, &after))
		TH_LOG("the marker was given other blocks");
	EXPECT_EQ(-1, dax_file_mismatch(self->marker, 0, self->marker_len, 5))
		TH_LOG("the device wrote into the marker");
}

/* Start the I/O, and the operation while it is in flight. */
static void start_both(struct __test_metadata *_metadata, struct _test_data_file *self, bool into)
{
	pthread_t thread;
	long pins;

	self->tid = 0;
	self->finished = false;
	close_gate();
	start_io(&self->io, self->d.other, into, self->d.p, MAP_LEN);
	pins = dax_pins();
	ASSERT_EQ(0, pthread_create(&thread, NULL, operate, self));
	while (!__atomic_load_n(&self->tid, __ATOMIC_ACQUIRE))
		usleep(100);
	wait_until_blocked(self->tid, &self->finished);
	open_gate();
	pthread_join(thread, NULL);
	WHEN(dax.gup_errno && !self->too_late, EXPECT_LT(0, pins));
}

/* With @op under way while the I/O is in flight; it has to wait, but for .moves. */
static void operate_under_io(struct __test_metadata *_metadata, struct _test_data_file *self,
			     const struct _fixture_variant_file *variant, const struct operation *op)
{
	bool into = variant->into, waits = !(op->moves && into);
	bool eio = getenv("PAGELESS_EIO");

	if (op->make_partner && dax_fs_magic(self->d.fd) != XFS_MAGIC)
		SKIP(return, "filesystem without reflink");
	self->op = op;
	if (op->make_partner)
		op->make_partner(self);
	if (!op->room)
		fill_file_system();
	/* A device without a gate may be faster than a busy machine. */
	self->too_late = true;
	for (int i = 0; i < 5 && self->too_late; i++)
		start_both(_metadata, self, into);
	ASSERT_FALSE(self->too_late) TH_LOG("the I/O was done before the operation began");
	EXPECT_EQ(eio ? -EIO : (long)MAP_LEN, io_result(&self->io));

	EXPECT_EQ(0, self->err);
	WHEN(waits && !op->later, EXPECT_FALSE(self->returned_early));
	WHEN(waits, EXPECT_FALSE(self->marked_early));
	WHEN(op->frees, expect_marker(_metadata, self));
	if (!into && !eio) {
		read_other(self->d.other, self->d.back, MAP_LEN, 0);
		EXPECT_EQ(-1, dax_mismatch(self->d.back, MAP_LEN, 0, 0)) TH_LOG("the device sent other data");
	}
	expect_no_pins(_metadata);
}

/* Called with the fields of struct operation. */
#define OPERATE_UNDER_IO(...) \
	operate_under_io(_metadata, self, variant, &(struct operation){ __VA_ARGS__ })

TEST_F(file, truncate_to_nothing)
{
	OPERATE_UNDER_IO(.run = truncate_to_nothing, .frees = true);
}

TEST_F(file, truncate_in_the_buffer)
{
	OPERATE_UNDER_IO(.run = truncate_in_the_buffer, .frees = true);
}

TEST_F(file, open_truncating)
{
	OPERATE_UNDER_IO(.run = open_truncating, .frees = true);
}

TEST_F(file, punch_hole)
{
	OPERATE_UNDER_IO(.run = punch_hole, .frees = true);
}

TEST_F(file, collapse)
{
	OPERATE_UNDER_IO(.run = collapse, .frees = true);
}

TEST_F(file, zero_range)
{
	OPERATE_UNDER_IO(.run = zero_range);
}

TEST_F(file, truncate_unmapped)
{
	OPERATE_UNDER_IO(.run = truncate_unmapped, .frees = true);
}

TEST_F(file, drop_last_reference)
{
	OPERATE_UNDER_IO(.run = drop_last_reference, .frees = true, .later = true);
}

TEST_F(file, clone_over_it)
{
	OPERATE_UNDER_IO(.run = clone_over_it, .make_partner = make_partner, .frees = true);
}

TEST_F(file, clone_of_it)
{
	OPERATE_UNDER_IO(.run = clone_of_it, .make_partner = make_empty_partner);
}

/* It compares what the device leaves behind: the same data only if it does not write there. */
TEST_F(file, dedupe)
{
	self->status = variant->into ? FILE_DEDUPE_RANGE_DIFFERS : FILE_DEDUPE_RANGE_SAME;
	OPERATE_UNDER_IO(.run = dedupe, .make_partner = make_partner, .frees = !variant->into);
}

/* What is read into a shared block goes to a new one: that need not wait. */
TEST_F_TIMEOUT(file, truncate_the_clone, 60)
{
	OPERATE_UNDER_IO(.run = leave_them_by_stores, .make_partner = make_clone,
			 .frees = true, .room = true, .moves = true);
}

/* The same, but write() copies the blocks. */
TEST_F_TIMEOUT(file, write_and_truncate_the_clone, 60)
{
	OPERATE_UNDER_IO(.run = leave_them_by_write, .make_partner = make_clone,
			 .frees = true, .room = true, .moves = true);
}

/* fallocate() waits for all I/O. */
TEST_F_TIMEOUT(file, unshare_and_truncate_the_clone, 60)
{
	OPERATE_UNDER_IO(.run = leave_them_by_unsharing, .make_partner = make_clone,
			 .frees = true, .room = true);
}

/* ---- nobody is left to be told of the completion --------------------------- */

struct orphan {
	int fd;
	int marker;
	size_t marker_len;
	pid_t tid;
	bool gate_is_open;
	bool early;
	bool finished;
};

static void *truncate_orphan(void *arg)
{
	struct orphan *o = arg;

	__atomic_store_n(&o->tid, gettid(), __ATOMIC_RELEASE);
	if (ftruncate(o->fd, 0))
		dax_die("ftruncate");
	o->marker_len = fill_marker(o->marker);
	o->early = !__atomic_load_n(&o->gate_is_open, __ATOMIC_ACQUIRE);
	__atomic_store_n(&o->finished, true, __ATOMIC_RELEASE);
	return NULL;
}

/* By io_uring, which does not hold the process back. */
static void die_with_io_in_flight(int other, char *buf)
{
	struct io_uring ring;

	if (io_uring_queue_init(1, &ring, 0))
		dax_die("io_uring_queue_init");
	io_uring_prep_read(io_uring_get_sqe(&ring), other, buf, MAP_LEN, 0);
	if (io_uring_submit(&ring) != 1)
		dax_die("io_uring_submit");
	wait_for_worker();
	raise(SIGKILL);
}

TEST_F(direct, truncate_waits_for_the_io_of_a_dead_process)
{
	struct orphan o = { .fd = self->fd, .marker = dax_tmpfile(dax.dir) };
	pthread_t thread;
	pid_t pid;

	if (!gate())
		SKIP(return, "no gate given");
	close_gate();
	pid = fork();
	if (!pid)
		die_with_io_in_flight(self->other, self->p);
	EXPECT_EQ(128 + SIGKILL, dax_wait(pid));
	expect_pinned(_metadata);
	munmap(self->p, MAP_LEN);
	fill_file_system();
	ASSERT_EQ(0, pthread_create(&thread, NULL, truncate_orphan, &o));
	while (!__atomic_load_n(&o.tid, __ATOMIC_ACQUIRE))
		usleep(100);
	wait_until_blocked(o.tid, &o.finished);
	__atomic_store_n(&o.gate_is_open, true, __ATOMIC_RELEASE);
	open_gate();
	pthread_join(thread, NULL);
	EXPECT_FALSE(o.early);
	EXPECT_LE(PMD_SZ, o.marker_len);
	expect_no_pins(_metadata);
	EXPECT_EQ(-1, dax_file_mismatch(o.marker, 0, o.marker_len, 5))
		TH_LOG("the device wrote into the marker");
}

DAX_TEST_MAIN
