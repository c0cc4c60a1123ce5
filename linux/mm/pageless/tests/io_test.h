/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to the module pageless_io_test; see io_test.c for its use.
 *
 * A transfer has segments, each in one of the lane's arenas:
 *
 *	arena LESS	....[seg 0]...[seg 2][seg 3]....	. guard bytes
 *	arena PAGES	..[seg 1]...............		  (SOURCE2: MORE)
 *
 *	stream		[seg 0][seg 1][seg 2][seg 3]  -->  TARGET, at lane->sector
 */
#ifndef _PAGELESS_IO_TEST_H
#define _PAGELESS_IO_TEST_H

#define pr_fmt(fmt) "pageless_io: " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/pageless.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/t10-pi.h>
#include <linux/workqueue.h>

enum { LESS, MORE, PAGES, NR_ARENAS };

/**
 * struct arena - memory that segments are taken from, in ascending order
 * @addr: its page aligned kernel address
 * @size: bytes; 0 if there is none
 * @next: offset behind the last segment
 * @pfn: the frame at @addr if it is page-less, else any frame with a page
 */
struct arena {
	u8 *addr;
	unsigned int size;
	unsigned int next;
	pfn_t pfn;
};

/**
 * struct segment - a part of the stream that is contiguous in memory
 * @arena: LESS, MORE or PAGES
 * @off: of its first byte in the arena
 * @len: bytes, a multiple of the block size unless an error is wanted
 */
struct segment {
	unsigned int arena, off, len;
};

struct io_test;

/**
 * struct lane - one stream of transfers, used by one thread at a time
 * @t: the run
 * @arena: its part of the memory
 * @first: first sector of its part of the target
 * @nr: sectors of its part of the target
 * @rnd: random numbers by the run's seed
 * @work: for cases that use threads
 * @done: @bio has ended
 * @bio: in flight
 * @cut: where io_submit_split() cuts, in bytes
 * @tuples: protection information of the transfer at hand, if the case makes its own
 * @wrong: byte of @tuples that is made wrong, or -1
 * @refused: bios with REQ_NOWAIT that had to come again
 * @err: what @work returned
 * @seed: of the pattern; 0: all zeroes
 * @sector: where the transfer at hand begins on the target
 * @len: bytes of the transfer at hand
 * @vecs: bio_vecs that it needs, at most
 * @nr_segs: how many of @seg it has
 * @seg: its segments
 */
struct lane {
	struct io_test *t;
	struct arena arena[NR_ARENAS];
	sector_t first, nr;
	struct rnd_state rnd;
	struct work_struct work;
	struct completion done;
	struct bio *bio;
	unsigned int cut, refused;
	struct t10_pi_tuple *tuples;
	int wrong, err;

	u32 seed;
	sector_t sector;
	unsigned int len, vecs, nr_segs;
	struct segment seg[BIO_MAX_VECS];
};

/* A page-less device, opened for this test alone. */
struct source {
	struct file *file;
	struct pageless_range *range;	/* held until the last I/O has ended */
	void *addr;
	unsigned long nr;		/* frames */
	pfn_t pfn;
};

/**
 * struct io_test - a run
 * @src: where page-less memory is from; the second one is optional
 * @file: the target
 * @bdev: the target
 * @pages: vmalloc'ed memory for the arenas PAGES
 * @bs: for splits and clones
 * @lanes: @nr_lanes of them
 * @nr_lanes: see @lanes
 * @block: logical block size of the target
 * @align: alignment of segments
 */
struct io_test {
	struct source src[2];
	struct file *file;
	struct block_device *bdev;
	void *pages;
	struct bio_set bs;
	struct lane *lanes;
	unsigned int nr_lanes, block, align;
};

/* Submits a bio and waits for it; returns 0 or an errno. The caller puts the bio. */
typedef int io_submit_fn(struct lane *l, struct bio *bio);

int io_submit_plain(struct lane *l, struct bio *bio);
int io_submit_split(struct lane *l, struct bio *bio);
int io_submit_chain(struct lane *l, struct bio *bio);
int io_submit_clone(struct lane *l, struct bio *bio);
int io_submit_nowait(struct lane *l, struct bio *bio);
int io_submit_poll(struct lane *l, struct bio *bio);

u32 io_pattern(struct lane *l, unsigned int pos);
u32 io_random(struct lane *l, u32 below);
u32 io_random_gap(struct lane *l);

void io_plan_begin(struct lane *l);
bool io_plan_add(struct lane *l, unsigned int arena, unsigned int gap, unsigned int len);
void io_plan_end(struct lane *l);
void io_plan_one(struct lane *l, unsigned int off, unsigned int len);
void io_plan_random(struct lane *l, unsigned long arenas, unsigned int nr, unsigned int max_len);

int io_transfer(struct lane *l, blk_opf_t flags, io_submit_fn *submit);
int io_read_and_check(struct lane *l, io_submit_fn *submit);
int io_transfer_all(struct io_test *t);
int io_transfer_nowhere(struct lane *l, io_submit_fn *submit);
int io_expect_error(struct lane *l, enum req_op op, unsigned int len, int want);

#ifdef CONFIG_BLK_DEV_INTEGRITY
int io_tuples_begin(struct lane *l);
void io_tuples_end(struct lane *l);
int io_tuples_attach(struct lane *l, struct bio *bio);
int io_tuples_check(struct lane *l);
#else
static inline int io_tuples_begin(struct lane *l)
{
	return -EOPNOTSUPP;
}

static inline void io_tuples_end(struct lane *l)
{
}

static inline int io_tuples_attach(struct lane *l, struct bio *bio)
{
	return 0;
}

static inline int io_tuples_check(struct lane *l)
{
	return 0;
}
#endif

#endif /* _PAGELESS_IO_TEST_H */
