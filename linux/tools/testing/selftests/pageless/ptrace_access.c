// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger reads and writes the DAX mappings of its child, with the rights of
 * the mapping: shared stores reach the file, private ones do not.  ptrace()
 * failing here was one of the reasons why page-less DAX was switched off in 4.15.
 */
#include <sys/ptrace.h>
#include "dax_fixture.h"

#define WORD 0x5aa555aadeadbeefL

/* A stopped child that has the same mappings. */
static pid_t stopped_child(struct __test_metadata *_metadata)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	return pid;
}

static void expect_child_exits(struct __test_metadata *_metadata, pid_t pid)
{
	EXPECT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	EXPECT_EQ(0, dax_wait(pid));
}

static long peek(pid_t pid, const void *p)
{
	errno = 0;
	return ptrace(PTRACE_PEEKDATA, pid, p, NULL);
}

static long poke(pid_t pid, void *p)
{
	errno = 0;
	return ptrace(PTRACE_POKEDATA, pid, p, WORD);
}

TEST_F(map, peek_shared)
{
	pid_t pid = stopped_child(_metadata);

	for (size_t off = 0; off < MAP_LEN; off += PMD_SZ / 4 + 8) {
		long word = peek(pid, self->p + off);

		ASSERT_EQ(0, errno);
		EXPECT_EQ(-1, dax_mismatch(&word, 8, off, 0));
	}
	expect_child_exits(_metadata, pid);
}

/* A word that lies in two pages, in two 2 MiB chunks. */
TEST_F(map, peek_across_a_boundary)
{
	pid_t pid = stopped_child(_metadata);
	long word, expected;

	memcpy(&expected, self->p + PMD_SZ - 3, 8);
	word = peek(pid, self->p + PMD_SZ - 3);
	EXPECT_EQ(0, errno);
	EXPECT_EQ(expected, word);
	expect_child_exits(_metadata, pid);
}

TEST_F(map, poke_shared_reaches_the_file)
{
	pid_t pid = stopped_child(_metadata);
	size_t off = PMD_SZ + PAGE_SZ + 16;
	long word;

	ASSERT_EQ(0, poke(pid, self->p + off)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(WORD, peek(pid, self->p + off));
	ASSERT_EQ(8, pread(self->fd, &word, 8, off));
	EXPECT_EQ(WORD, word);
	EXPECT_EQ(-1, dax_mismatch(self->p, off, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + off + 8, PAGE_SZ, off + 8, 0));
	expect_child_exits(_metadata, pid);
}

/* The next sync must flush what the debugger wrote. */
TEST_F(map, poke_of_a_clean_page)
{
	pid_t pid = stopped_child(_metadata);
	long word;

	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, poke(pid, self->p)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(8, pread(self->fd, &word, 8, 0));
	EXPECT_EQ(WORD, word);
	expect_child_exits(_metadata, pid);
}

TEST_F(map, poke_private_stays_private)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);
	pid_t pid;

	ASSERT_EQ(0, dax_try_load(q));
	pid = stopped_child(_metadata);
	EXPECT_EQ(*(long *)q, peek(pid, q));
	ASSERT_EQ(0, poke(pid, q + 8)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(WORD, peek(pid, q + 8));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	expect_child_exits(_metadata, pid);
}

/*
 * Copy-on-write by a debugger that has something else, or nothing, at the address:
 * the rest of the page is the child's.
 */
TEST_F(map, poke_private_copies_the_childs_page)
{
	char *q;
	pid_t pid;
	long word, expected;

	if (!dax.gup_errno)
		SKIP(return, "with struct pages the kernel copies from the debugger");
	q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, variant->huge);
	dax_touch(q, MAP_LEN, false);
	pid = stopped_child(_metadata);
	ASSERT_EQ(0, munmap(q, MAP_LEN));
	for (size_t off = 0; off < MAP_LEN; off += PMD_SZ / 2) {
		ASSERT_EQ(0, poke(pid, q + off + 8)) TH_LOG("%s", strerror(errno));
		memcpy(&expected, self->p + off, 8);
		word = peek(pid, q + off);
		EXPECT_EQ(expected, word);
		memcpy(&expected, self->p + off + PAGE_SZ - 8, 8);
		word = peek(pid, q + off + PAGE_SZ - 8);
		EXPECT_EQ(expected, word);
	}
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	expect_child_exits(_metadata, pid);
}

/* A breakpoint in a program that runs from DAX. */
TEST_F(map, poke_private_read_only_copies)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_EXEC, MAP_PRIVATE,
			  variant->huge);
	pid_t pid;

	ASSERT_EQ(0, dax_try_load(q));
	pid = stopped_child(_metadata);
	ASSERT_EQ(0, poke(pid, q)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(WORD, peek(pid, q));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	expect_child_exits(_metadata, pid);
}

TEST_F(map, poke_shared_read_only_is_refused)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
	pid_t pid;

	ASSERT_EQ(0, dax_try_load(q));
	pid = stopped_child(_metadata);
	EXPECT_EQ(-1, poke(pid, q));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(*(long *)q, peek(pid, q));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	expect_child_exits(_metadata, pid);
}

TEST_F(map, no_access_without_a_mapping)
{
	pid_t pid;

	ASSERT_EQ(0, munmap(self->p + PMD_SZ, PAGE_SZ));
	ASSERT_EQ(0, ftruncate(self->fd, 2 * PMD_SZ));
	pid = stopped_child(_metadata);
	EXPECT_EQ(-1, peek(pid, self->p + PMD_SZ));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, peek(pid, self->p + 2 * PMD_SZ));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(*(long *)self->p, peek(pid, self->p));
	expect_child_exits(_metadata, pid);
}

DAX_TEST_MAIN
