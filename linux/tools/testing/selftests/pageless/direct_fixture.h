/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of the direct I/O tests: a DAX mapping, a shadow of it in anonymous
 * memory, and OTHER opened with O_DIRECT.  The shadow says what is right: a
 * transfer is made with both, and must give the same result or errno, the same
 * bytes, and leave the bytes around it alone.
 */
#ifndef DIRECT_FIXTURE_H
#define DIRECT_FIXTURE_H

#include <stdlib.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "dax_fixture.h"

#define OTHER_LEN	(8UL << 20)	/* how much of OTHER the tests use */
#define MAX_PARTS	4

/* One call: where in the buffers its vectors are, where in OTHER it goes. */
struct transfer {
	bool write;
	bool vectored;
	int flags;	/* of preadv2() and pwritev2() */
	int nr;
	struct {
		size_t at;
		size_t len;
	} part[MAX_PARTS];
	off_t off;
};

FIXTURE(direct)
{
	int fd;
	char *p;		/* MAP_LEN bytes of fd, mapped shared */
	char *shadow;		/* the same bytes in anonymous memory */
	char *back;		/* room to read OTHER back */
	int other;
	size_t block;		/* offsets and lengths in OTHER are multiples of it */
	size_t align;		/* and addresses of this */
};

FIXTURE_VARIANT(direct)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(direct, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(direct, pmd)
{
	.huge = true,
};

/* Fill @len bytes of OTHER with pattern @seed, unless it is there to fail writes. */
static inline void fill_other(int other, char *buf, size_t len, off_t off, uint64_t seed)
{
	dax_fill(buf, len, off, seed);
	if (pwrite(other, buf, len, off) != (ssize_t)len && !getenv("PAGELESS_EIO"))
		dax_die("write %s with O_DIRECT", dax.other);
}

static inline void read_other(int other, char *buf, size_t len, off_t off)
{
	if (pread(other, buf, len, off) != (ssize_t)len)
		dax_die("read %s with O_DIRECT", dax.other);
}

/* Where the mapping has piece @i of PIECES that are in flight at once; not the order in OTHER. */
#define PIECES	32
#define PIECE	(24 * PAGE_SZ)

static inline size_t piece(int i)
{
	return (i * 7 % PIECES) * PIECE + PMD_SZ;
}

static inline bool is_block_device(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		dax_die("fstat");
	return S_ISBLK(st.st_mode);
}

/* The old direct-io path does not tell; it wants blocks of the device. */
static inline void ask_alignment(int fd, size_t *block, size_t *align)
{
	struct statx stx;

	*block = *align = 512;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx))
		dax_die("statx");
	if ((stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align) {
		*block = stx.stx_dio_offset_align;
		*align = stx.stx_dio_mem_align;
	}
}

FIXTURE_SETUP(direct)
{
	if (!dax.other)
		SKIP(return, "no OTHER file given");
	self->other = open(dax.other, O_RDWR | O_DIRECT);
	if (self->other < 0)
		dax_die("open %s with O_DIRECT", dax.other);
	ask_alignment(self->other, &self->block, &self->align);
	self->fd = dax_create(MAP_LEN);
	if (variant->huge && !dax_huge_extents(self->fd))
		SKIP(return, "no 2 MiB aligned extents: see mkfs.xfs su=2m, mkfs.ext4 stride=512");
	self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	dax_populate(self->p, MAP_LEN);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, self->p + PMD_SZ);
	self->shadow = dax_anonymous(MAP_LEN, MAP_PRIVATE);
	dax_fill(self->shadow, MAP_LEN, 0, 0);
	self->back = dax_anonymous(OTHER_LEN, MAP_PRIVATE);
	fill_other(self->other, self->back, OTHER_LEN, 0, 7);
}

/* The process ends with the test. */
FIXTURE_TEARDOWN(direct)
{
	close(self->other);
	close(self->fd);
}

static inline size_t transfer_len(const struct transfer *t)
{
	size_t len = 0;

	for (int i = 0; i < t->nr; i++)
		len += t->part[i].len;
	return len;
}

/* What the call gives with the buffer @base: bytes or -errno. */
static inline ssize_t make_transfer(const struct transfer *t, int fd, char *base)
{
	struct iovec iov[MAX_PARTS];
	ssize_t ret;

	for (int i = 0; i < t->nr; i++)
		iov[i] = (struct iovec){ base + t->part[i].at, t->part[i].len };
	if (t->vectored || t->flags || t->nr > 1)
		ret = t->write ? pwritev2(fd, iov, t->nr, t->off, t->flags) :
				 preadv2(fd, iov, t->nr, t->off, t->flags);
	else
		ret = t->write ? pwrite(fd, iov->iov_base, iov->iov_len, t->off) :
				 pread(fd, iov->iov_base, iov->iov_len, t->off);
	return ret < 0 ? -errno : ret;
}

/* The first @len bytes that the call wrote, as the shadow has them. */
static inline bool written_as_shadow(const struct transfer *t, const char *back,
				     const char *shadow, ssize_t len)
{
	for (int i = 0; i < t->nr && len > 0; i++) {
		ssize_t n = MIN(len, (ssize_t)t->part[i].len);

		if (memcmp(back, shadow + t->part[i].at, n))
			return false;
		back += n;
		len -= n;
	}
	return true;
}

static inline bool same_bytes(struct _test_data_direct *self, size_t at, size_t len)
{
	return !memcmp(self->p + at, self->shadow + at, len);
}

/* Make the transfer with both; returns its result. */
static inline ssize_t expect_same_result(struct __test_metadata *_metadata,
					 struct _test_data_direct *self, const struct transfer *t)
{
	size_t len = transfer_len(t);
	bool aligned = (t->off | len) % self->block == 0;
	ssize_t got, wanted;

	if (t->write && aligned)
		fill_other(self->other, self->back, len, t->off, 5);
	got = make_transfer(t, self->other, self->p);
	if (t->write && got > 0) {
		read_other(self->other, self->back, len, t->off);
		EXPECT_TRUE(written_as_shadow(t, self->back, self->shadow, got));
	}
	wanted = make_transfer(t, self->other, self->shadow);
	ASSERT_EQ(wanted, got)
		TH_LOG("%s of %zu bytes in %d parts at %#zx, at %ld of OTHER",
		       t->write ? "write" : "read", len, t->nr, t->part[0].at, (long)t->off);
	return got;
}

static inline void expect_same(struct __test_metadata *_metadata, struct _test_data_direct *self,
			       const struct transfer *t)
{
	expect_same_result(_metadata, self, t);
	ASSERT_TRUE(same_bytes(self, 0, MAP_LEN))
		TH_LOG("after %s of %zu bytes at %#zx", t->write ? "write" : "read",
		       transfer_len(t), t->part[0].at);
}

/* As expect_same(), and the call transfers everything. */
static inline void expect_all(struct __test_metadata *_metadata, struct _test_data_direct *self,
			      const struct transfer *t)
{
	ASSERT_EQ((ssize_t)transfer_len(t), expect_same_result(_metadata, self, t))
		TH_LOG("%s at %#zx", t->write ? "write" : "read", t->part[0].at);
	ASSERT_TRUE(same_bytes(self, 0, MAP_LEN))
		TH_LOG("after %s of %zu bytes at %#zx", t->write ? "write" : "read",
		       transfer_len(t), t->part[0].at);
}

static inline size_t random_upto(unsigned int *seed, size_t max, size_t step)
{
	return rand_r(seed) % (max / step + 1) * step;
}

/* One to four vectors, each in a part of the buffer of its own. */
static inline struct transfer random_transfer(struct _test_data_direct *self, unsigned int *seed)
{
	struct transfer t = { .write = rand_r(seed) % 2, .nr = 1 + rand_r(seed) % MAX_PARTS };
	size_t room = MAP_LEN / t.nr / PAGE_SZ * PAGE_SZ;
	size_t first = rand_r(seed) % t.nr, len, max;

	for (int i = 0; i < t.nr; i++) {
		max = MIN(OTHER_LEN / t.nr, room - PAGE_SZ) >> rand_r(seed) % 8;
		len = MAX(random_upto(seed, max, self->block), self->block);
		t.part[i].len = len;
		t.part[i].at = (i + first) % t.nr * room + random_upto(seed, room - len, self->align);
	}
	t.off = random_upto(seed, OTHER_LEN - transfer_len(&t), self->block);
	return t;
}

/* While I/O is in flight. */
static inline void expect_pinned(struct __test_metadata *_metadata)
{
	WHEN(dax.gup_errno, EXPECT_LT(0, dax_pins()));
}

/* Wait until the last I/O's pins are gone: that is shortly after its completion. */
static inline void expect_no_pins(struct __test_metadata *_metadata)
{
	EXPECT_TRUE(DAX_EVENTUALLY(dax_pins() <= 0));
}

#endif /* DIRECT_FIXTURE_H */
