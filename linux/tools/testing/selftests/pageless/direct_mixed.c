// SPDX-License-Identifier: GPL-2.0
/*
 * One buffer of direct I/O made of anonymous memory, page cache and three DAX files
 * side by side, and vectors that go from one to the other: what a data base's
 * cache looks like to readv().  Pages and page-less frames must not be taken for
 * one another, nor the release of one kind be forgotten.
 *
 * PAGELESS_CACHED is a directory of ordinary files, /tmp if it is not given;
 * PAGELESS_SECOND is one on DAX memory of the other kind, DIR if it is not given.
 */
#include "direct_fixture.h"

#define PART (16 * PAGE_SZ)

/*
 *	0      64K      2M     4M       +64K        +128K       +192K    -64K   6M
 *	| anon | DAX    | DAX  | cached | other DAX | third DAX | DAX    | anon |
 */
#define CACHED_AT	(2 * PMD_SZ)
#define SECOND_AT	(2 * PMD_SZ + PART)
#define THIRD_AT	(2 * PMD_SZ + 2 * PART)

static int cached_file(void)
{
	const char *dir = getenv("PAGELESS_CACHED");
	int fd = dax_tmpfile(dir ? dir : "/tmp");

	if (ftruncate(fd, PART))
		dax_die("ftruncate");
	return fd;
}

static int file_of_the_other_kind(void)
{
	const char *dir = getenv("PAGELESS_SECOND") ?: dax.dir;
	int fd = dax_tmpfile(dir);

	if (fallocate(fd, 0, 0, PART))
		dax_die("fallocate");
	if (dax.check && !dax_is_dax(fd))
		dax_die("files in %s are not DAX", dir);
	return fd;
}

/* Replace a piece of the buffer, content as it was. */
static void replace(struct _test_data_direct *self, size_t at, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *p = mmap(self->p + at, PART, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);

	if (p == MAP_FAILED)
		dax_die("mmap");
	memcpy(p, self->shadow + at, PART);
}

struct files {
	int cached;
	int second;	/* DAX too */
	int third;	/* DAX, of the other kind if there is one */
};

static struct files mix(struct _test_data_direct *self)
{
	struct files f = { cached_file(), dax_create(PART), file_of_the_other_kind() };

	replace(self, 0, -1);
	replace(self, CACHED_AT, f.cached);
	replace(self, SECOND_AT, f.second);
	replace(self, THIRD_AT, f.third);
	replace(self, MAP_LEN - PART, -1);
	return f;
}

static void expect_piece(struct __test_metadata *_metadata, struct _test_data_direct *self, int fd,
			 off_t off, size_t at, size_t len)
{
	ASSERT_EQ((ssize_t)len, pread(fd, self->back, len, off));
	EXPECT_EQ(0, memcmp(self->back, self->shadow + at, len)) TH_LOG("piece at %#zx", at);
}

/* Each file has its bytes, the ordinary one after its cache was dropped too. */
static void expect_files(struct __test_metadata *_metadata, struct _test_data_direct *self,
			 const struct files *f)
{
	munmap(self->p + CACHED_AT, PART);
	ASSERT_EQ(0, fsync(f->cached));
	ASSERT_EQ(0, posix_fadvise(f->cached, 0, 0, POSIX_FADV_DONTNEED));
	expect_piece(_metadata, self, f->cached, 0, CACHED_AT, PART);
	expect_piece(_metadata, self, f->second, 0, SECOND_AT, PART);
	expect_piece(_metadata, self, f->third, 0, THIRD_AT, PART);
	expect_piece(_metadata, self, self->fd, PART, PART, CACHED_AT - PART);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, PART, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, CACHED_AT, 3 * PART, 0));
	expect_no_pins(_metadata);
}

TEST_F(direct, neighbours_in_one_buffer)
{
	struct transfer t = { .nr = 1 };
	struct files f = mix(self);

	for (int i = 0; i < 4; i++) {
		t.write = i % 2;
		t.off = i * self->block;
		/* From the end of chunk 1 to the end, and everything. */
		t.part[0].at = i < 2 ? CACHED_AT - PART : 0;
		t.part[0].len = MAP_LEN - t.part[0].at;
		expect_all(_metadata, self, &t);
	}
	expect_files(_metadata, self, &f);
}

TEST_F(direct, vectors_of_each_kind)
{
	struct transfer t = {
		.nr = 4,
		.part = {
			{ MAP_LEN - PART, PART / 2 }, { CACHED_AT - PART / 2, PART },
			{ THIRD_AT, PART }, { SECOND_AT + PAGE_SZ, PART / 4 },
		},
	};
	struct files f = mix(self);

	for (int i = 0; i < 4; i++) {
		t.write = i % 2;
		t.off = PART + i * self->block;
		expect_all(_metadata, self, &t);
	}
	expect_files(_metadata, self, &f);
}

TEST_F(direct, random_transfers_of_each_kind)
{
	struct files f = mix(self);
	unsigned int seed = 5;

	for (int i = 0; i < 60; i++) {
		struct transfer t = random_transfer(self, &seed);

		expect_all(_metadata, self, &t);
	}
	expect_files(_metadata, self, &f);
}

DAX_TEST_MAIN
