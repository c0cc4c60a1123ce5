// SPDX-License-Identifier: GPL-2.0
/*
 * fork() of a process with DAX mappings: shared ones stay shared, private ones
 * are isolated, at both levels.  fork() failing or oopsing here was one of the
 * reasons why page-less DAX was switched off in 4.15.
 */
#include "dax_fixture.h"

#define CHILDREN 16

TEST_F(map, child_store_is_seen_by_the_parent)
{
	pid_t pid = fork();

	if (!pid) {
		dax_fill(self->p, MAP_LEN, 0, 1);
		_exit(0);
	}
	EXPECT_EQ(0, dax_wait(pid));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 1));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, self->p);
}

TEST_F(map, parent_store_is_seen_by_the_child)
{
	int go[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid)
		_exit(read(go[0], &c, 1) != 1 || dax_mismatch(self->p, MAP_LEN, 0, 2) >= 0);
	dax_fill(self->p, MAP_LEN, 0, 2);
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_EQ(0, dax_wait(pid));
}

TEST_F(map, private_mapping_is_isolated)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);
	pid_t pid;

	ASSERT_EQ(0, dax_try_load(q));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	pid = fork();
	if (!pid) {
		dax_fill(q, PMD_SZ, 0, 3);
		_exit(dax_mismatch(q, PMD_SZ, 0, 3) >= 0);
	}
	EXPECT_EQ(0, dax_wait(pid));
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, q);
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
}

/* Each child stores its own pages, all of them in each chunk. */
static void store_every_nth(char *p, int n)
{
	for (size_t page = n; page < MAP_LEN / PAGE_SZ; page += CHILDREN)
		dax_fill(p + page * PAGE_SZ, PAGE_SZ, page * PAGE_SZ, 4);
}

TEST_F(map, many_children_at_once)
{
	pid_t pid[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			store_every_nth(self->p, i);
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, dax_wait(pid[i]));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 4));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 4));
}

TEST_F(map, grandchild_after_the_child_is_gone)
{
	int done[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(done));
	pid = fork();
	if (!pid) {
		if (fork())
			_exit(0);
		usleep(10000);
		dax_fill(self->p, PMD_SZ, 0, 5);
		_exit(write(done[1], "x", 1) != 1);
	}
	EXPECT_EQ(0, dax_wait(pid));
	ASSERT_EQ(1, read(done[0], &c, 1));
	EXPECT_EQ(-1, dax_mismatch(self->p, PMD_SZ, 0, 5));
}

TEST_F(map, dontfork_leaves_the_mapping_out)
{
	pid_t pid;

	ASSERT_EQ(0, madvise(self->p + PMD_SZ, PMD_SZ, MADV_DONTFORK));
	pid = fork();
	if (!pid)
		_exit(dax_try_load(self->p) != 0 ||
		      dax_try_load(self->p + PMD_SZ) != SIGSEGV);
	EXPECT_EQ(0, dax_wait(pid));
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

DAX_TEST_MAIN
