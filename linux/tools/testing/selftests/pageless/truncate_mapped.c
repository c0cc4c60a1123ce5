// SPDX-License-Identifier: GPL-2.0
/*
 * Truncating a mapped DAX file takes the memory away from every mapping, up to
 * the page, and growing it again shows zeros.  If a mapping kept the memory,
 * it would see, and could change, the next file that is given those blocks.
 */
#include "dax_fixture.h"

/* Data up to @size, zeros to the end of the page, SIGBUS from there on. */
static void expect_size(struct __test_metadata *_metadata, char *p, size_t size)
{
	size_t words = size & ~7UL, end = (size + PAGE_SZ - 1) & ~(PAGE_SZ - 1);

	EXPECT_EQ(-1, dax_mismatch(p, words, 0, 0));
	WHEN(end > size, EXPECT_TRUE(dax_all_zero(p + size, end - size)));
	EXPECT_EQ(SIGBUS, dax_try_load(p + end));
	EXPECT_EQ(SIGBUS, dax_try_store(p + MAP_LEN - 1, 1));
}

static const size_t sizes[] = {
	2 * PMD_SZ, PMD_SZ + 3 * PAGE_SZ, PMD_SZ / 2 + 1000, 100
};

TEST_F(map, shrink_step_by_step)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, ftruncate(self->fd, sizes[i]));
		expect_size(_metadata, self->p, sizes[i]);
	}
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(SIGBUS, dax_try_load(self->p));
}

TEST_F(map, grown_again_reads_zeros)
{
	size_t size = PMD_SZ + 3 * PAGE_SZ + 100;

	dax_fill(self->p, MAP_LEN, 0, 0);
	ASSERT_EQ(0, ftruncate(self->fd, size));
	ASSERT_EQ(0, ftruncate(self->fd, MAP_LEN));
	EXPECT_EQ(-1, dax_mismatch(self->p, size & ~7UL, 0, 0));
	EXPECT_TRUE(dax_all_zero(self->p + size, MAP_LEN - size));
	dax_fill(self->p, MAP_LEN, 0, 1);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 1));
}

TEST_F(map, every_process_loses_it)
{
	int go[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		bool lost = read(go[0], &c, 1) == 1 &&
			    dax_try_load(self->p + PMD_SZ) == SIGBUS &&
			    dax_mismatch(self->p, PMD_SZ, 0, 0) < 0;
		_exit(!lost);
	}
	ASSERT_EQ(0, ftruncate(self->fd, PMD_SZ));
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_EQ(0, dax_wait(pid));
}

/* Private copies beyond the end go as well, as POSIX has it. */
TEST_F(map, private_mapping_loses_it)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	ASSERT_EQ(0, dax_try_load(q + PMD_SZ));
	dax_fill(q, 2 * PAGE_SZ, 0, 2);
	dax_fill(q + 2 * PMD_SZ, PAGE_SZ, 0, 2);
	ASSERT_EQ(0, ftruncate(self->fd, PMD_SZ));
	EXPECT_EQ(SIGBUS, dax_try_load(q + PMD_SZ));
	EXPECT_EQ(SIGBUS, dax_try_load(q + 2 * PMD_SZ));
	EXPECT_EQ(-1, dax_mismatch(q, 2 * PAGE_SZ, 0, 2));
	EXPECT_EQ(-1, dax_mismatch(q + 2 * PAGE_SZ, PMD_SZ - 2 * PAGE_SZ, 2 * PAGE_SZ, 0));
}

/* The blocks go to another file, which the old mapping must not reach. */
TEST_F(map, freed_blocks_are_not_reachable)
{
	int fd;
	char *q;

	ASSERT_EQ(0, ftruncate(self->fd, PAGE_SZ));
	fd = dax_create(MAP_LEN);
	q = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	for (size_t off = PAGE_SZ; off < MAP_LEN; off += 64 * PAGE_SZ)
		EXPECT_EQ(SIGBUS, dax_try_store(self->p + off, 'x'));
	EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p, PAGE_SZ, 0, 0));
}

DAX_TEST_MAIN
