// SPDX-License-Identifier: GPL-2.0
/*
 * While direct I/O is in flight its buffer is unmapped, protected, moved, or its
 * process ends: the device still reads and writes the frames of the file that it
 * was given, and when it is done nothing is pinned.  Needs a gate.
 */
#include <liburing.h>
#include "direct_async.h"
#include "direct_fixture.h"

#define LEN	(256 * PAGE_SZ)
#define AT	(PMD_SZ - LEN / 2)

FIXTURE(inflight)
{
	FIXTURE_DATA(direct) d;
};

FIXTURE_VARIANT(inflight)
{
	bool into;
	bool huge;
};

FIXTURE_VARIANT_ADD(inflight, into_pte) { .into = true };
FIXTURE_VARIANT_ADD(inflight, into_pmd) { .into = true, .huge = true };
FIXTURE_VARIANT_ADD(inflight, from_pte) { .into = false };
FIXTURE_VARIANT_ADD(inflight, from_pmd) { .into = false, .huge = true };

FIXTURE_SETUP(inflight)
{
	const FIXTURE_VARIANT(direct) size = { .huge = variant->huge };

	if (!gate())
		SKIP(return, "no gate given");
	open_gate();
	direct_setup(_metadata, &self->d, &size);
	if (_metadata->exit_code == KSFT_SKIP)
		return;
	if (!variant->into)
		fill_other(self->d.other, self->d.back, LEN, 0, 5);
}

FIXTURE_TEARDOWN(inflight)
{
	open_gate();
}

/* After the I/O: its data is in the file, or in OTHER, and nowhere else. */
static void expect_moved(struct __test_metadata *_metadata, struct _test_data_inflight *self,
			 bool into)
{
	int fd = self->d.fd;

	if (into) {
		EXPECT_EQ(-1, dax_file_mismatch(fd, 0, AT, 0));
		ASSERT_EQ((ssize_t)LEN, pread(fd, self->d.back, LEN, AT));
		EXPECT_EQ(-1, dax_mismatch(self->d.back, LEN, 0, 7));
		EXPECT_EQ(-1, dax_file_mismatch(fd, AT + LEN, MAP_LEN - AT - LEN, 0));
	} else {
		read_other(self->d.other, self->d.back, LEN, 0);
		EXPECT_EQ(-1, dax_mismatch(self->d.back, LEN, AT, 0));
		EXPECT_EQ(-1, dax_file_mismatch(fd, 0, MAP_LEN, 0));
	}
	expect_no_pins(_metadata);
}

static void unmap(char *p)
{
	munmap(p, MAP_LEN);
}

static void map_over(char *p)
{
	p = mmap(p, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(p, 'o', MAP_LEN);
}

static void protect(char *p)
{
	mprotect(p, MAP_LEN, PROT_NONE);
}

static void move(char *p)
{
	mremap(p + PMD_SZ, PMD_SZ, PMD_SZ, MREMAP_MAYMOVE | MREMAP_FIXED, dax_anonymous(PMD_SZ, MAP_PRIVATE));
}

static void forget(char *p)
{
	madvise(p, MAP_LEN, MADV_DONTNEED);
}

static void make_child(char *p)
{
	pid_t pid = fork();

	if (!pid) {
		dax_load(p + AT);
		_exit(0);
	}
	dax_wait(pid);
}

static void (* const changes[])(char *p) = {
	unmap, map_over, protect, move, forget, make_child
};

TEST_F(inflight, mapping_changes)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(changes); i++) {
		char *p = dax_map(self->d.fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				  variant->huge);
		struct in_flight io;

		dax_touch(p + AT, LEN, false);
		close_gate();
		start_io(&io, self->d.other, variant->into, p + AT, LEN);
		expect_pinned(_metadata);
		changes[i](p);
		EXPECT_FALSE(io_done(&io));
		expect_pinned(_metadata);
		open_gate();
		EXPECT_EQ((long)LEN, io_result(&io)) TH_LOG("change %u", i);
		expect_moved(_metadata, self, variant->into);
		/* For the next one. */
		dax_fill(self->d.p, MAP_LEN, 0, 0);
		WHEN(!variant->into, fill_other(self->d.other, self->d.back, LEN, 0, 5));
	}
}

/* io_destroy() waits; io_cancel() does not stop what a device has. */
TEST_F(inflight, aio_is_cancelled)
{
	struct in_flight io;
	struct io_event event;

	close_gate();
	start_io(&io, self->d.other, variant->into, self->d.p + AT, LEN);
	EXPECT_GT(0, syscall(SYS_io_cancel, io.ctx, &io.cb, &event));
	open_gate();
	EXPECT_EQ((long)LEN, io_result(&io));
	expect_moved(_metadata, self, variant->into);
}

static void submit_to_ring(struct io_uring *ring, int other, bool into, char *buf)
{
	struct io_uring_sqe *sqe;

	if (io_uring_queue_init(4, ring, 0))
		dax_die("io_uring_queue_init");
	sqe = io_uring_get_sqe(ring);
	if (into)
		io_uring_prep_read(sqe, other, buf, LEN, 0);
	else
		io_uring_prep_write(sqe, other, buf, LEN, 0);
	sqe->user_data = 1;
	if (io_uring_submit(ring) != 1)
		dax_die("io_uring_submit");
	wait_for_worker();
}

TEST_F(inflight, io_uring_is_cancelled)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	close_gate();
	submit_to_ring(&ring, self->d.other, variant->into, self->d.p + AT);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_cancel(sqe, (void *)1, 0);
	sqe->user_data = 2;
	ASSERT_EQ(1, io_uring_submit(&ring));
	ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
	EXPECT_EQ(2ULL, cqe->user_data);
	EXPECT_GT(0, cqe->res);
	io_uring_cqe_seen(&ring, cqe);
	expect_pinned(_metadata);
	open_gate();
	ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
	EXPECT_EQ((int)LEN, cqe->res);
	expect_moved(_metadata, self, variant->into);
}

/*
 * A request and the one that is linked to it are cancelled before they are begun:
 * the only worker waits for the gate in a read of the page cache.  Nothing is
 * pinned for them, and what another request has in flight is not let go.
 */
TEST_F(inflight, io_uring_is_cancelled_in_time)
{
	int cached = open(dax.other, O_RDONLY);
	unsigned int workers[2] = { 1, 0 };
	char *unused = dax_anonymous(PAGE_SZ, MAP_PRIVATE);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	struct in_flight io;
	long pins;

	ASSERT_LE(0, cached);
	ASSERT_EQ(0, posix_fadvise(cached, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	ASSERT_EQ(0, io_uring_register_iowq_max_workers(&ring, workers));
	close_gate();
	start_io(&io, self->d.other, variant->into, self->d.p + AT, LEN);
	expect_pinned(_metadata);
	pins = dax_pins();

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, cached, unused, PAGE_SZ, OTHER_LEN);
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	sqe->user_data = 1;
	ASSERT_EQ(1, io_uring_submit(&ring));
	wait_for_worker();
	for (int i = 0; i < 2; i++) {
		char *buf = self->d.p + (i ? 2 * PMD_SZ : AT + LEN);

		sqe = io_uring_get_sqe(&ring);
		if (variant->into)
			io_uring_prep_read(sqe, self->d.other, buf, LEN, LEN);
		else
			io_uring_prep_write(sqe, self->d.other, buf, LEN, LEN);
		io_uring_sqe_set_flags(sqe, i ? 0 : IOSQE_ASYNC | IOSQE_IO_LINK);
		sqe->user_data = 2 + i;
	}
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_cancel(sqe, (void *)2, 0);
	sqe->user_data = 4;
	ASSERT_EQ(3, io_uring_submit(&ring));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
		EXPECT_LE(2ULL, cqe->user_data);
		EXPECT_EQ(cqe->user_data == 4 ? 0 : -ECANCELED, cqe->res)
			TH_LOG("request %llu", (unsigned long long)cqe->user_data);
		io_uring_cqe_seen(&ring, cqe);
	}
	EXPECT_EQ(pins, dax_pins());
	EXPECT_FALSE(io_done(&io));
	open_gate();
	ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
	EXPECT_EQ((int)PAGE_SZ, cqe->res);
	EXPECT_EQ((long)LEN, io_result(&io));
	read_other(self->d.other, self->d.back, LEN, LEN);
	EXPECT_EQ(-1, dax_mismatch(self->d.back, LEN, LEN, 7));
	expect_moved(_metadata, self, variant->into);
}

/* A child that has, behind the closed gate, I/O of AIO or io_uring in flight, and pauses. */
static pid_t process_with_io(struct __test_metadata *_metadata, struct _test_data_inflight *self,
			     bool into, bool uring)
{
	int ready[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	close_gate();
	pid = fork();
	if (!pid) {
		struct in_flight io;
		struct io_uring ring;

		if (uring)
			submit_to_ring(&ring, self->d.other, into, self->d.p + AT);
		else
			start_io(&io, self->d.other, into, self->d.p + AT, LEN);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	return pid;
}

/* The child ends when its I/O has: exit waits for AIO. */
TEST_F(inflight, process_with_aio_is_killed)
{
	pid_t pid = process_with_io(_metadata, self, variant->into, false);

	expect_pinned(_metadata);
	kill(pid, SIGKILL);
	open_gate();
	EXPECT_EQ(128 + SIGKILL, dax_wait(pid));
	expect_moved(_metadata, self, variant->into);
}

static bool last_page_moved(struct _test_data_inflight *self, bool into)
{
	const size_t last = LEN - PAGE_SZ;

	if (into)
		return dax_mismatch(self->d.p + AT + last, PAGE_SZ, last, 7) < 0;
	read_other(self->d.other, self->d.back, LEN, 0);
	return dax_mismatch(self->d.back + last, PAGE_SZ, AT + last, 0) < 0;
}

/* With io_uring the I/O outlives the process and its page tables. */
TEST_F(inflight, process_with_io_uring_is_killed)
{
	pid_t pid = process_with_io(_metadata, self, variant->into, true);

	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, dax_wait(pid));
	expect_pinned(_metadata);
	EXPECT_EQ(-1, dax_mismatch(self->d.p, MAP_LEN, 0, 0));
	open_gate();
	/* Nobody is told of the completion: the file or OTHER has it. */
	DAX_EVENTUALLY(last_page_moved(self, variant->into));
	expect_moved(_metadata, self, variant->into);
}

DAX_TEST_MAIN
