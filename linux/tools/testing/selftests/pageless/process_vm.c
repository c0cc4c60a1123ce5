// SPDX-License-Identifier: GPL-2.0
/*
 * process_vm_readv() and process_vm_writev() copy between processes whatever
 * mix of DAX and anonymous memory their vectors name, at any alignment, and
 * report exactly how far they got.  MPI libraries send messages with them.
 */
#include <sys/uio.h>
#include "dax_fixture.h"

/* A child with the same mappings that sleeps until killed. */
static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	dax_wait(pid);
}

static ssize_t copy_from(pid_t pid, void *to, const void *from, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)from, len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static ssize_t copy_to(pid_t pid, const void *from, void *to, size_t len)
{
	struct iovec local = { (void *)from, len }, remote = { to, len };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

TEST_F(map, read_all_of_it)
{
	char *buf = malloc(MAP_LEN);
	pid_t pid = sleeping_child();

	EXPECT_EQ((ssize_t)MAP_LEN, copy_from(pid, buf, self->p, MAP_LEN));
	EXPECT_EQ(-1, dax_mismatch(buf, MAP_LEN, 0, 0));
	end(pid);
}

TEST_F(map, read_across_boundaries_at_odd_offsets)
{
	pid_t pid = sleeping_child();
	char buf[5 * PAGE_SZ];

	for (size_t len = 1; len < sizeof(buf); len += 1013) {
		char *from = self->p + PMD_SZ - len / 2 - 1;

		ASSERT_EQ((ssize_t)len, copy_from(pid, buf, from, len));
		EXPECT_EQ(0, memcmp(buf, from, len));
	}
	end(pid);
}

TEST_F(map, write_reaches_the_file)
{
	size_t off = PMD_SZ - 3 * PAGE_SZ - 8, len = 6 * PAGE_SZ;
	pid_t pid = sleeping_child();
	char buf[6 * PAGE_SZ];

	dax_fill(buf, len, off, 1);
	EXPECT_EQ((ssize_t)len, copy_to(pid, buf, self->p + off, len));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, off, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off, len, 1));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off + len, MAP_LEN - off - len, 0));
	end(pid);
}

/* DAX on both sides. */
TEST_F(map, from_dax_into_dax)
{
	pid_t pid = sleeping_child();

	EXPECT_EQ((ssize_t)PMD_SZ, copy_from(pid, self->p, self->p + PMD_SZ, PMD_SZ));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, PMD_SZ, 2 * PMD_SZ, 0));
	EXPECT_EQ(0, memcmp(self->p, self->p + PMD_SZ, PMD_SZ));
	end(pid);
}

TEST_F(map, mixed_vectors)
{
	char *anon = dax_anonymous(2 * PAGE_SZ, MAP_PRIVATE);
	struct iovec remote[] = {
		{ anon + 1, 100 }, { self->p + PMD_SZ - 50, 100 }, { anon + PAGE_SZ, PAGE_SZ },
		{ self->p + 7, PAGE_SZ },
	};
	char buf[200 + 2 * PAGE_SZ], expected[200 + 2 * PAGE_SZ], *at = expected;
	struct iovec local[] = { { buf, 13 }, { buf + 13, sizeof(buf) - 13 } };
	pid_t pid;

	dax_fill(anon, 2 * PAGE_SZ, 0, 2);
	for (int i = 0; i < 4; i++) {
		memcpy(at, remote[i].iov_base, remote[i].iov_len);
		at += remote[i].iov_len;
	}
	pid = sleeping_child();
	ASSERT_EQ((ssize_t)sizeof(buf), process_vm_readv(pid, local, 2, remote, 4, 0));
	EXPECT_EQ(0, memcmp(buf, expected, sizeof(buf)));
	memset(buf, 'w', sizeof(buf));
	ASSERT_EQ((ssize_t)sizeof(buf), process_vm_writev(pid, local, 2, remote, 4, 0));
	EXPECT_EQ(0, memcmp(self->p + PMD_SZ - 50, buf, 100));
	EXPECT_EQ(0, memcmp(self->p + 7, buf, PAGE_SZ));
	/* The parent's anonymous memory is not the child's. */
	EXPECT_EQ(-1, dax_mismatch(anon, 2 * PAGE_SZ, 0, 2));
	end(pid);
}

TEST_F(map, stops_where_the_mapping_ends)
{
	char buf[3 * PAGE_SZ];
	pid_t pid;

	ASSERT_EQ(0, munmap(self->p + PMD_SZ, PAGE_SZ));
	pid = sleeping_child();
	EXPECT_EQ(EFAULT, ERRNO_OF(copy_from(pid, buf, self->p + PMD_SZ, 1)));
	EXPECT_EQ(EFAULT, ERRNO_OF(copy_to(pid, buf, self->p + PMD_SZ, 1)));
	EXPECT_EQ(2 * (ssize_t)PAGE_SZ, copy_from(pid, buf, self->p + PMD_SZ - 2 * PAGE_SZ, sizeof(buf)));
	EXPECT_EQ(-1, dax_mismatch(buf, 2 * PAGE_SZ, PMD_SZ - 2 * PAGE_SZ, 0));
	end(pid);
}

TEST_F(map, beyond_eof_is_a_fault)
{
	char buf[2 * PAGE_SZ];
	pid_t pid;

	ASSERT_EQ(0, ftruncate(self->fd, PMD_SZ));
	pid = sleeping_child();
	EXPECT_EQ(EFAULT, ERRNO_OF(copy_from(pid, buf, self->p + PMD_SZ, PAGE_SZ)));
	EXPECT_EQ((ssize_t)PAGE_SZ, copy_from(pid, buf, self->p + PMD_SZ - PAGE_SZ, sizeof(buf)));
	end(pid);
}

TEST_F(map, write_to_read_only_is_a_fault)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
	pid_t pid = sleeping_child();

	EXPECT_EQ(EFAULT, ERRNO_OF(copy_to(pid, "x", q, 1)));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, PAGE_SZ, 0));
	end(pid);
}

TEST_F(map, write_to_private_stays_private)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);
	char buf[PAGE_SZ];
	pid_t pid;

	ASSERT_EQ(0, dax_try_load(q));
	pid = sleeping_child();
	dax_fill(buf, PAGE_SZ, 0, 3);
	EXPECT_EQ((ssize_t)PAGE_SZ, copy_to(pid, buf, q + PMD_SZ - 8, PAGE_SZ));
	memset(buf, 0, PAGE_SZ);
	EXPECT_EQ((ssize_t)PAGE_SZ, copy_from(pid, buf, q + PMD_SZ - 8, PAGE_SZ));
	EXPECT_EQ(-1, dax_mismatch(buf, PAGE_SZ, 0, 3));
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	end(pid);
}

DAX_TEST_MAIN
