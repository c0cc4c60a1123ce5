// SPDX-License-Identifier: GPL-2.0
/*
 * Transfers between page-less memory and a block device: a plan of segments, the
 * pattern in them, the bio that names them, the ways to submit it, and the
 * comparison. io_test.c has the cases that are made of these.
 */
#include "io_test.h"

#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

/* What memory holds where no segment is. */
#define GUARD	0xa5

/* -------- the pattern and the guard bytes --------------------------------- */

/**
 * io_pattern() - what the stream of the transfer at hand has
 * @l: lane
 * @pos: byte of the stream, a multiple of four
 *
 * Return: four bytes.
 */
u32 io_pattern(struct lane *l, unsigned int pos)
{
	return l->seed ? (pos / sizeof(u32) + l->seed) * 0x9e3779b1 : 0;
}

static void fill_segments(struct lane *l)
{
	unsigned int pos = 0, i;
	struct segment *s;

	for (s = l->seg; s < l->seg + l->nr_segs; s++) {
		u32 *to = (u32 *)(l->arena[s->arena].addr + s->off);

		for (i = 0; i < s->len; i += sizeof(u32), pos += sizeof(u32))
			*to++ = io_pattern(l, pos);
	}
}

static int compare(struct lane *l, const char *where, const void *addr, unsigned int len,
		   unsigned int pos)
{
	const u32 *p;

	for (p = addr; len; len -= sizeof(u32), pos += sizeof(u32), p++) {
		if (*p == io_pattern(l, pos))
			continue;
		pr_err("%pg: %s, byte %u of %u from sector %llu: wanted %08x, got %08x\n",
		       l->t->bdev, where, pos, l->len, l->sector, io_pattern(l, pos), *p);
		return -EBADMSG;
	}
	return 0;
}

static unsigned int arena_end(const struct arena *a)
{
	return min_t(unsigned int, a->next + PAGE_SIZE, a->size);
}

static void poison(struct lane *l)
{
	struct arena *a;

	for (a = l->arena; a < l->arena + NR_ARENAS; a++)
		memset(a->addr, GUARD, arena_end(a));
}

static int check_guard(struct lane *l, const struct arena *a, unsigned int from, unsigned int to)
{
	const u8 *bad = memchr_inv(a->addr + from, GUARD, to - from);

	if (!bad)
		return 0;
	pr_err("%pg: guard %zu bytes behind a segment: wanted %02x, got %02x\n", l->t->bdev,
	       (size_t)(bad - (a->addr + from)), GUARD, *bad);
	return -EBADMSG;
}

/* Everything between the segments is as poison() left it. */
static int check_guards(struct lane *l)
{
	unsigned int seen[NR_ARENAS] = {}, i;
	struct segment *s;
	int err = 0;

	for (s = l->seg; s < l->seg + l->nr_segs && !err; s++) {
		err = check_guard(l, &l->arena[s->arena], seen[s->arena], s->off);
		seen[s->arena] = s->off + s->len;
	}
	for (i = 0; i < NR_ARENAS && !err; i++)
		err = check_guard(l, &l->arena[i], seen[i], arena_end(&l->arena[i]));
	return err;
}

static int check_segments(struct lane *l)
{
	unsigned int pos = 0;
	struct segment *s;
	int err = 0;

	for (s = l->seg; s < l->seg + l->nr_segs && !err; pos += s->len, s++)
		err = compare(l, s->arena == PAGES ? "read into pages" : "read into page-less memory",
			      l->arena[s->arena].addr + s->off, s->len, pos);
	return err ?: check_guards(l);
}

/* -------- planning a transfer ---------------------------------------------- */

/**
 * io_random() - a random number
 * @l: lane
 * @below: more than the largest number wanted
 *
 * Return: the number.
 */
u32 io_random(struct lane *l, u32 below)
{
	return prandom_u32_state(&l->rnd) % below;
}

/**
 * io_random_gap() - a random distance between segments
 * @l: lane
 *
 * Return: a multiple of the alignment, up to a page.
 */
u32 io_random_gap(struct lane *l)
{
	return io_random(l, PAGE_SIZE / l->t->align + 1) * l->t->align;
}

/**
 * io_plan_begin() - plan a transfer of no segments
 * @l: lane
 */
void io_plan_begin(struct lane *l)
{
	int i;

	l->len = l->vecs = l->nr_segs = 0;
	for (i = 0; i < NR_ARENAS; i++)
		l->arena[i].next = 0;
}

/**
 * io_plan_add() - add a segment
 * @l: lane
 * @arena: where it lies
 * @gap: bytes from the segment before it in the arena, or from the arena's start
 * @len: bytes; cut down to what fits in the arena, the target and one bio
 *
 * Return: false if nothing fits.
 */
bool io_plan_add(struct lane *l, unsigned int arena, unsigned int gap, unsigned int len)
{
	struct arena *a = &l->arena[arena];
	unsigned int off = a->next + gap, vecs = 1, left = BIO_MAX_VECS - l->vecs;
	u64 room = min_t(u64, (l->nr << SECTOR_SHIFT) - l->len, a->size - min(off, a->size));

	if (!left || l->nr_segs == ARRAY_SIZE(l->seg))
		return false;
	if (!pfn_t_pageless(a->pfn))
		room = min_t(u64, room, left * PAGE_SIZE - offset_in_page(off));
	len = min_t(u64, len, round_down(room, l->t->block));
	if (!len)
		return false;
	if (!pfn_t_pageless(a->pfn))
		vecs = PFN_UP(offset_in_page(off) + len);
	l->seg[l->nr_segs++] = (struct segment){ arena, off, len };
	l->vecs += vecs;
	l->len += len;
	a->next = off + len;
	return true;
}

/**
 * io_plan_end() - give the transfer a place on the target and a pattern
 * @l: lane
 */
void io_plan_end(struct lane *l)
{
	u32 blocks = (u32)((l->nr << SECTOR_SHIFT) - l->len) / l->t->block;

	l->sector = l->first + io_random(l, blocks + 1) * (l->t->block >> SECTOR_SHIFT);
	l->seed = prandom_u32_state(&l->rnd) | 1;
}

/**
 * io_plan_one() - plan a transfer of one page-less segment
 * @l: lane
 * @off: where in the arena
 * @len: bytes
 */
void io_plan_one(struct lane *l, unsigned int off, unsigned int len)
{
	io_plan_begin(l);
	io_plan_add(l, LESS, off, len);
	io_plan_end(l);
}

/**
 * io_plan_random() - plan a transfer of random segments
 * @l: lane
 * @arenas: mask of arenas to take them from
 * @nr: how many, if that many fit
 * @max_len: bytes in a segment, at most, or one block
 */
void io_plan_random(struct lane *l, unsigned long arenas, unsigned int nr, unsigned int max_len)
{
	unsigned int blocks = max(max_len / l->t->block, 1U), arena, gap;
	bool added = true;

	io_plan_begin(l);
	while (nr-- && added) {
		do
			arena = io_random(l, NR_ARENAS);
		while (!(arenas & BIT(arena)));
		/* Without a gap, now and then, so that segments are merged. */
		gap = io_random(l, 4) ? io_random_gap(l) : 0;
		added = io_plan_add(l, arena, gap, (1 + io_random(l, blocks)) * l->t->block);
	}
	io_plan_end(l);
}

/* -------- bios ---------------------------------------------------------------- */

static pfn_t arena_pfn(const struct arena *a, unsigned int off)
{
	if (!pfn_t_pageless(a->pfn))
		return page_to_pfn_t(vmalloc_to_page(a->addr + off));
	return (pfn_t){ a->pfn.val + PHYS_PFN(off) };
}

static int add_segment(struct lane *l, struct bio *bio, const struct segment *s)
{
	const struct arena *a = &l->arena[s->arena];
	unsigned int off = s->off, end = s->off + s->len, len;

	for (; off < end; off += len) {
		len = end - off;
		if (!pfn_t_pageless(a->pfn))
			len = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(off));
		if (bio_add_pfn(bio, arena_pfn(a, off), len, offset_in_page(off)) != len) {
			pr_err("bio_add_pfn() did not take %u bytes after %u of %u vectors\n", len,
			       bio->bi_vcnt, bio->bi_max_vecs);
			return -E2BIG;
		}
	}
	return 0;
}

static struct bio *make_bio(struct lane *l, blk_opf_t opf)
{
	struct bio *bio = bio_alloc(l->t->bdev, BIO_MAX_VECS, opf, GFP_KERNEL);
	unsigned int i, vecs;
	int err;

	bio->bi_iter.bi_sector = l->sector;
	for (i = 0; i < l->nr_segs; i++) {
		vecs = bio->bi_vcnt;
		err = add_segment(l, bio, &l->seg[i]);
		/* Ranges may touch, and are never merged; nor are both kinds. */
		if (!err && i && l->seg[i].arena != l->seg[i - 1].arena && bio->bi_vcnt == vecs) {
			pr_err("segments of different arenas were merged\n");
			err = -EBADMSG;
		}
		if (err)
			goto err_put;
	}
	if (l->tuples) {
		err = io_tuples_attach(l, bio);
		if (err)
			goto err_put;
	}
	return bio;

err_put:
	bio_put(bio);
	return ERR_PTR(err);
}

static void end_io(struct bio *bio)
{
	complete(bio->bi_private);
}

static void start(struct lane *l, struct bio *bio)
{
	reinit_completion(&l->done);
	bio->bi_end_io = end_io;
	bio->bi_private = &l->done;
	submit_bio(bio);
}

static int finish(struct lane *l, struct bio *bio)
{
	wait_for_completion_io(&l->done);
	return blk_status_to_errno(bio->bi_status);
}

/* Sends @len bytes ahead; @bio is the rest, and ends when both have. */
static void split_front(struct lane *l, struct bio *bio, unsigned int len)
{
	struct bio *front = bio_split(bio, len >> SECTOR_SHIFT, GFP_KERNEL, &l->t->bs);

	bio_chain(front, bio);
	submit_bio(front);
}

/**
 * io_submit_plain() - submit as it is
 * @l: lane
 * @bio: the bio
 *
 * Return: 0 or an errno.
 */
int io_submit_plain(struct lane *l, struct bio *bio)
{
	start(l, bio);
	return finish(l, bio);
}

/**
 * io_submit_split() - submit in two parts, the first of &lane->cut bytes
 * @l: lane
 * @bio: the bio
 *
 * Return: 0 or an errno.
 */
int io_submit_split(struct lane *l, struct bio *bio)
{
	split_front(l, bio, l->cut);
	return io_submit_plain(l, bio);
}

/**
 * io_submit_chain() - submit in up to 17 parts
 * @l: lane
 * @bio: the bio
 *
 * Return: 0 or an errno.
 */
int io_submit_chain(struct lane *l, struct bio *bio)
{
	unsigned int blocks, i;

	for (i = 0; i < 16; i++) {
		blocks = bio->bi_iter.bi_size / l->t->block;
		if (blocks < 2)
			break;
		blocks = min(blocks - 1, blocks / 8 + 1);
		split_front(l, bio, (1 + io_random(l, blocks)) * l->t->block);
	}
	return io_submit_plain(l, bio);
}

/**
 * io_submit_clone() - submit a clone
 * @l: lane
 * @bio: the bio
 *
 * Return: 0 or an errno.
 */
int io_submit_clone(struct lane *l, struct bio *bio)
{
	struct bio *clone = bio_alloc_clone(bio->bi_bdev, bio, GFP_KERNEL, &l->t->bs);
	int err = io_submit_plain(l, clone);

	bio_put(clone);
	return err;
}

/**
 * io_submit_nowait() - submit with REQ_NOWAIT
 * @l: lane
 * @bio: the bio
 *
 * Return: 0 or an errno; -EAGAIN and -EOPNOTSUPP make do_io() come again.
 */
int io_submit_nowait(struct lane *l, struct bio *bio)
{
	bio->bi_opf |= REQ_NOWAIT;
	return io_submit_plain(l, bio);
}

/**
 * io_submit_poll() - submit with REQ_POLLED, and poll
 * @l: lane
 * @bio: the bio
 *
 * Return: 0 or an errno.
 */
int io_submit_poll(struct lane *l, struct bio *bio)
{
	bio->bi_opf |= REQ_POLLED;
	start(l, bio);
	while (!completion_done(&l->done)) {
		bio_poll(bio, NULL, BLK_POLL_ONESHOT);
		cond_resched();
	}
	return finish(l, bio);
}

/* -------- transfers --------------------------------------------------------- */

static int do_io(struct lane *l, blk_opf_t opf, io_submit_fn *submit)
{
	struct bio *bio = make_bio(l, opf);
	int err;

	if (IS_ERR(bio))
		return PTR_ERR(bio);
	err = submit(l, bio);
	bio_put(bio);
	if (submit == io_submit_nowait && (err == -EAGAIN || err == -EOPNOTSUPP)) {
		l->refused++;
		return do_io(l, opf, io_submit_plain);
	}
	if (!err && l->tuples && !op_is_write(opf))
		err = io_tuples_check(l);
	return err;
}

/* What arrived on the target, by way of ordinary pages. */
static int read_back(struct lane *l)
{
	struct arena *a = &l->arena[PAGES];
	unsigned int pos, n, off;
	struct bio *bio;
	int err = 0;

	for (pos = 0; pos < l->len && !err; pos += n) {
		n = min3(l->len - pos, a->size, (unsigned int)(BIO_MAX_VECS * PAGE_SIZE));
		memset(a->addr, GUARD, n);
		bio = bio_alloc(l->t->bdev, BIO_MAX_VECS, REQ_OP_READ, GFP_KERNEL);
		bio->bi_iter.bi_sector = l->sector + (pos >> SECTOR_SHIFT);
		for (off = 0; off < n; off += PAGE_SIZE)
			__bio_add_page(bio, vmalloc_to_page(a->addr + off),
				       min_t(unsigned int, n - off, PAGE_SIZE), 0);
		err = submit_bio_wait(bio);
		bio_put(bio);
		err = err ?: compare(l, "on the target", a->addr, n, pos);
	}
	return err;
}

/**
 * io_read_and_check() - read the planned segments and compare
 * @l: lane
 * @submit: how to submit the bio
 *
 * Reads the target a second time into ordinary pages.
 *
 * Return: 0, -EBADMSG for a difference or a changed guard byte, or the errno of
 * the I/O.
 */
int io_read_and_check(struct lane *l, io_submit_fn *submit)
{
	int err;

	poison(l);
	err = do_io(l, REQ_OP_READ, submit);
	err = err ?: check_segments(l);
	return err ?: read_back(l);
}

/**
 * io_transfer() - write the planned segments, read them again and compare
 * @l: lane
 * @flags: for the write: REQ_PREFLUSH, REQ_FUA
 * @submit: how to submit the bios
 *
 * Return: as io_read_and_check(); -ENOSPC when no segment fitted.
 */
int io_transfer(struct lane *l, blk_opf_t flags, io_submit_fn *submit)
{
	int err;

	if (!l->len)
		return -ENOSPC;
	if (fatal_signal_pending(current))
		return -EINTR;
	poison(l);
	fill_segments(l);
	err = do_io(l, REQ_OP_WRITE | flags, submit);
	return err ?: io_read_and_check(l, submit);
}

/* A bio of each lane in flight. */
static int do_all(struct io_test *t, enum req_op op)
{
	struct lane *l, *end = t->lanes + t->nr_lanes;
	struct blk_plug plug;
	int err, ret = 0;

	blk_start_plug(&plug);
	for (l = t->lanes; l < end; l++) {
		poison(l);
		if (op == REQ_OP_WRITE)
			fill_segments(l);
		l->bio = l->len ? make_bio(l, op) : ERR_PTR(-ENOSPC);
		if (!IS_ERR(l->bio))
			start(l, l->bio);
	}
	blk_finish_plug(&plug);
	for (l = t->lanes; l < end; l++) {
		err = PTR_ERR_OR_ZERO(l->bio);
		if (!err) {
			err = finish(l, l->bio);
			bio_put(l->bio);
		}
		ret = ret ?: err;
	}
	return ret;
}

/**
 * io_transfer_all() - io_transfer() of all lanes at once
 * @t: the run, its lanes planned
 *
 * Return: as io_transfer().
 */
int io_transfer_all(struct io_test *t)
{
	struct lane *l;
	int err;

	err = do_all(t, REQ_OP_WRITE);
	err = err ?: do_all(t, REQ_OP_READ);
	for (l = t->lanes; l < t->lanes + t->nr_lanes && !err; l++)
		err = check_segments(l) ?: read_back(l);
	return err;
}

/**
 * io_transfer_nowhere() - write and read the planned segments on a target that keeps nothing
 * @l: lane
 * @submit: how to submit the bios
 *
 * Return: 0, -EBADMSG for a changed guard byte, or the errno of the I/O.
 */
int io_transfer_nowhere(struct lane *l, io_submit_fn *submit)
{
	int err;

	poison(l);
	fill_segments(l);
	err = do_io(l, REQ_OP_WRITE, submit);
	err = err ?: do_io(l, REQ_OP_READ, submit);
	return err ?: check_guards(l);
}

/**
 * io_expect_error() - a bio that cannot be done ends with an error and writes no memory
 * @l: lane, with a plan of one segment
 * @op: REQ_OP_READ or REQ_OP_WRITE
 * @len: bytes to ask for, at &lane->sector
 * @want: the error
 *
 * Return: 0, or -EBADMSG when the bio ends otherwise.
 */
int io_expect_error(struct lane *l, enum req_op op, unsigned int len, int want)
{
	int err;

	poison(l);
	l->seg[0].len = len;
	err = do_io(l, op, io_submit_plain);
	l->seg[0].len = 0;
	if (err == want)
		return check_guards(l);
	pr_err("%pg: %u bytes at sector %llu: wanted error %d, got %d\n", l->t->bdev, len,
	       l->sector, want, err);
	return -EBADMSG;
}
