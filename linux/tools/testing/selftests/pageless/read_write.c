// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of any offset and length agree with the mapping of the
 * file, with and without O_DIRECT, vectored, appending, and from the file's own
 * mapping.  Off-by-one copies around page and 2 MiB edges show up here.
 */
#include <sys/uio.h>
#include "dax_fixture.h"

#define ROUNDS 200
#define MAX_LEN (5 * PAGE_SZ)

/* Spans that cross the edges more often than not. */
static void pick(unsigned int *seed, size_t *off, size_t *len)
{
	size_t edge = rand_r(seed) % (MAP_LEN / PAGE_SZ - 10) + 4;

	if (rand_r(seed) % 4 == 0)
		edge = edge / (PMD_SZ / PAGE_SZ) * (PMD_SZ / PAGE_SZ) + 4;
	*len = rand_r(seed) % MAX_LEN + 1;
	*off = edge * PAGE_SZ - rand_r(seed) % *len;
}

static void random_bytes(unsigned int *seed, char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = rand_r(seed);
}

TEST_F(map, odd_reads_see_stores)
{
	unsigned int seed = 1;
	char buf[MAX_LEN];
	size_t off, len;

	for (int i = 0; i < ROUNDS; i++) {
		pick(&seed, &off, &len);
		random_bytes(&seed, self->p + off, len);
		ASSERT_EQ((ssize_t)len, pread(self->fd, buf, len, off));
		ASSERT_EQ(0, memcmp(buf, self->p + off, len)) TH_LOG("%zu at %zu", len, off);
	}
}

TEST_F(map, odd_writes_change_nothing_else)
{
	char *expected = malloc(MAP_LEN), buf[MAX_LEN];
	unsigned int seed = 2;
	size_t off, len;

	memcpy(expected, self->p, MAP_LEN);
	for (int i = 0; i < ROUNDS; i++) {
		pick(&seed, &off, &len);
		random_bytes(&seed, buf, len);
		memcpy(expected + off, buf, len);
		ASSERT_EQ((ssize_t)len, pwrite(self->fd, buf, len, off));
	}
	EXPECT_EQ(0, memcmp(expected, self->p, MAP_LEN));
	free(expected);
}

TEST_F(map, direct_flag_makes_no_difference)
{
	char path[64], *buf;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0 && !dax.check)
		SKIP(return, "filesystem without O_DIRECT");
	ASSERT_LE(0, fd);
	buf = aligned_alloc(PAGE_SZ, PMD_SZ);
	dax_fill(self->p, MAP_LEN, 0, 1);
	ASSERT_EQ((ssize_t)PMD_SZ, pread(fd, buf, PMD_SZ, PMD_SZ / 2));
	EXPECT_EQ(-1, dax_mismatch(buf, PMD_SZ, PMD_SZ / 2, 1));
	dax_fill(buf, PMD_SZ, PMD_SZ / 2, 2);
	ASSERT_EQ((ssize_t)PMD_SZ, pwrite(fd, buf, PMD_SZ, PMD_SZ / 2));
	EXPECT_EQ(-1, dax_mismatch(self->p, PMD_SZ / 2, 0, 1));
	EXPECT_EQ(-1, dax_mismatch(self->p + PMD_SZ / 2, PMD_SZ, PMD_SZ / 2, 2));
	free(buf);
}

TEST_F(map, vectors)
{
	char a[100], b[PAGE_SZ], c[3 * PAGE_SZ + 1];
	struct iovec iov[] = { { a, sizeof(a) }, { b, sizeof(b) }, { c, sizeof(c) } };
	size_t off = PMD_SZ - PAGE_SZ + 7, len = sizeof(a) + sizeof(b) + sizeof(c);

	ASSERT_EQ((ssize_t)len, preadv(self->fd, iov, 3, off));
	EXPECT_EQ(0, memcmp(a, self->p + off, sizeof(a)));
	EXPECT_EQ(0, memcmp(b, self->p + off + sizeof(a), sizeof(b)));
	EXPECT_EQ(0, memcmp(c, self->p + off + sizeof(a) + sizeof(b), sizeof(c)));
	memset(a, 'a', sizeof(a));
	memset(c, 'c', sizeof(c));
	ASSERT_EQ((ssize_t)len, pwritev(self->fd, iov, 3, off));
	EXPECT_EQ(0, memcmp(a, self->p + off, sizeof(a)));
	EXPECT_EQ(0, memcmp(c, self->p + off + sizeof(a) + sizeof(b), sizeof(c)));
}

TEST_F(map, append_is_mapped)
{
	char *q = dax_map(self->fd, 0, 2 * MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
	char buf[PAGE_SZ + 8];

	EXPECT_EQ(SIGBUS, dax_try_load(q + MAP_LEN));
	dax_fill(buf, sizeof(buf), MAP_LEN, 3);
	ASSERT_EQ((ssize_t)sizeof(buf), pwrite(self->fd, buf, sizeof(buf), MAP_LEN));
	EXPECT_EQ(-1, dax_mismatch(q + MAP_LEN, sizeof(buf), MAP_LEN, 3));
	EXPECT_EQ(SIGBUS, dax_try_load(q + MAP_LEN + 2 * PAGE_SZ));
}

/* Source and target are one file, and the mapping is not faulted in yet. */
TEST_F(map, copy_from_its_own_mapping)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	ASSERT_EQ((ssize_t)PMD_SZ, pwrite(self->fd, q + PMD_SZ, PMD_SZ, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p, PMD_SZ, PMD_SZ, 0));
	ASSERT_EQ((ssize_t)PMD_SZ, pread(self->fd, q, PMD_SZ, 2 * PMD_SZ));
	EXPECT_EQ(-1, dax_mismatch(self->p, PMD_SZ, 2 * PMD_SZ, 0));
}

DAX_TEST_MAIN
