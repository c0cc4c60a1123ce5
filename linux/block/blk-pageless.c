// SPDX-License-Identifier: GPL-2.0
/*
 * The gate in front of each block queue: queues with BLK_FEAT_PAGELESS get bios
 * that name memory without struct pages, all others a copy in ordinary memory.
 * See Documentation/mm/pageless.rst.
 *
 *	bio that was submitted		[ chunk ][ rest .................. ]
 *	                                    |         |
 *	bounce bio, ordinary pages	[ chunk ]     '-> current->bio_list
 *	                                    |
 *	                                  driver
 *
 * Forward progress: the reserve of pages is as large as one chunk; who waits for it
 * waits alone, and has no bio on current->bio_list that may hold a part of it.
 */
#include <linux/bio.h>
#include <linux/blk-crypto.h>
#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>

#include "blk.h"
#include "blk-cgroup.h"

/* Pages of a chunk: 256 KiB, a multiple of every block size. */
#define BLK_BOUNCE_PAGES	64
#define BLK_BOUNCE_SIZE		(BLK_BOUNCE_PAGES * PAGE_SIZE)

/**
 * struct blk_bounce - a part of a page-less bio and its copy in ordinary memory
 * @orig: the bio that was submitted
 * @iter: the part of @orig
 * @bio: the copy, each page filled from its start
 */
struct blk_bounce {
	struct bio *orig;
	struct bvec_iter iter;
	struct bio bio;		/* last: the bio set puts bvecs behind it */
};

static struct bio_set blk_bounce_bios;
static mempool_t blk_bounce_pages;
static DEFINE_MUTEX(blk_bounce_lock);	/* held by who waits for blk_bounce_pages */

static bool bio_has_pageless(const struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	if (!bio_has_data((struct bio *)bio))
		return false;
	bio_for_each_bvec(bv, bio, iter)
		if (bvec_pageless(&bv))
			return true;
	return false;
}

static bool bio_may_be_split(const struct bio *bio)
{
	return bio_op(bio) != REQ_OP_ZONE_APPEND &&
	       !(bio->bi_opf & (REQ_ATOMIC | REQ_NOWAIT));
}

/* -------- pages ----------------------------------------------------------- */

static void blk_bounce_free_pages(struct bio *bio)
{
	struct bio_vec *bv;
	int i;

	bio_for_each_bvec_all(bv, bio, i)
		mempool_free(bvec_page(bv), &blk_bounce_pages);
	bio->bi_vcnt = 0;
	bio->bi_iter.bi_size = 0;
}

static bool blk_bounce_alloc_pages(struct bio *bio, unsigned int size, gfp_t gfp)
{
	while (size) {
		unsigned int len = min_t(unsigned int, size, PAGE_SIZE);
		struct page *page = mempool_alloc(&blk_bounce_pages, gfp);

		if (!page) {
			blk_bounce_free_pages(bio);
			return false;
		}
		__bio_add_page(bio, page, len, 0);
		size -= len;
	}
	return true;
}

/* -------- a chunk ---------------------------------------------------------- */

static void blk_bounce_free(struct blk_bounce *bounce)
{
	blk_bounce_free_pages(&bounce->bio);
	bio_put(&bounce->bio);
}

static void blk_bounce_end_io(struct bio *bio)
{
	struct blk_bounce *bounce = container_of(bio, struct blk_bounce, bio);
	struct bvec_iter from = { .bi_size = bounce->iter.bi_size };
	struct bio *orig = bounce->orig;

	if (bio->bi_status) {
		if (!orig->bi_status)
			orig->bi_status = bio->bi_status;
	} else if (bio_op(bio) == REQ_OP_READ) {
		bio_copy_data_iter(orig, &bounce->iter, bio, &from);
	} else if (bio_op(bio) == REQ_OP_ZONE_APPEND) {
		orig->bi_iter.bi_sector = bio->bi_iter.bi_sector;
	}
	blk_bounce_free(bounce);
	bio_endio(orig);
}

/* What a driver may look at in @orig, it finds in @bio. */
static int blk_bounce_inherit(struct bio *bio, struct bio *orig, gfp_t gfp)
{
	bio->bi_iter.bi_sector = orig->bi_iter.bi_sector;
	bio->bi_ioprio = orig->bi_ioprio;
	bio->bi_write_hint = orig->bi_write_hint;
	if (bio_flagged(orig, BIO_REMAPPED))
		bio_set_flag(bio, BIO_REMAPPED);
	bio_clone_blkg_association(bio, orig);
	if (bio_crypt_clone(bio, orig, gfp) < 0)
		return -ENOMEM;
	if (bio_integrity(orig)) {
		if (bio_integrity_clone(bio, orig, gfp) < 0)
			return -ENOMEM;
		bio_integrity_trim(bio);
	}
	return 0;
}

static struct bio *blk_bounce_chunk(struct bio *orig, unsigned int size, gfp_t gfp)
{
	struct blk_bounce *bounce;
	struct bvec_iter from, to;
	struct bio *bio;

	/* The submitter of a polled bio polls a cookie that this one does not set. */
	bio = bio_alloc_bioset(orig->bi_bdev, DIV_ROUND_UP(size, PAGE_SIZE),
			       orig->bi_opf & ~REQ_POLLED, gfp, &blk_bounce_bios);
	if (!bio)
		return NULL;
	bounce = container_of(bio, struct blk_bounce, bio);
	bounce->orig = orig;
	bounce->iter = orig->bi_iter;
	bounce->iter.bi_size = size;
	if (!blk_bounce_alloc_pages(bio, size, gfp))
		goto err_put;
	if (blk_bounce_inherit(bio, orig, gfp))
		goto err_pages;
	bio->bi_end_io = blk_bounce_end_io;
	if (op_is_write(bio_op(bio))) {
		from = bounce->iter;
		to = bio->bi_iter;
		bio_copy_data_iter(bio, &to, orig, &from);
	}
	return bio;

err_pages:
	blk_bounce_free_pages(bio);
err_put:
	bio_put(bio);
	return NULL;
}

static struct bio *blk_bounce_chunk_wait(struct bio *orig, unsigned int size)
{
	struct bio *bio;

	mutex_lock(&blk_bounce_lock);
	bio = blk_bounce_chunk(orig, size, GFP_NOIO);
	mutex_unlock(&blk_bounce_lock);
	return bio;
}

static void blk_bounce_fail(struct bio *orig, blk_status_t status)
{
	orig->bi_status = status;
	bio_endio(orig);
}

/* -------- interface --------------------------------------------------------- */

/**
 * blk_pageless_bounce() - replace a page-less bio by a copy in ordinary memory
 * @orig: a bio with BIO_PAGELESS for a queue without BLK_FEAT_PAGELESS
 *
 * When @orig is larger than a chunk, the rest of it is put on current->bio_list.
 * @orig ends when all its parts have. A polled bio ends by interrupt. A bio that
 * must not wait and one that must not be split are copied whole or end with
 * BLK_STS_AGAIN or BLK_STS_RESOURCE, and above 1 MiB with BLK_STS_NOTSUPP.
 *
 * Context: process context, below submit_bio_noacct(); may sleep.
 * Return: the bio to submit in its place: @orig itself if it names no page-less
 * memory, or NULL when it has ended or waits on current->bio_list.
 */
struct bio *blk_pageless_bounce(struct bio *orig)
{
	struct request_queue *q = bdev_get_queue(orig->bi_bdev);
	unsigned int size = orig->bi_iter.bi_size;
	struct bio *bio;

	if (!bio_has_pageless(orig))
		return orig;
	if (bio_may_be_split(orig))
		size = min_t(unsigned int, size, BLK_BOUNCE_SIZE);
	if (DIV_ROUND_UP(size, PAGE_SIZE) > BIO_MAX_VECS) {
		blk_bounce_fail(orig, BLK_STS_NOTSUPP);
		return NULL;
	}

	bio = blk_bounce_chunk(orig, size, GFP_NOWAIT | __GFP_NOWARN);
	if (!bio && (orig->bi_opf & REQ_NOWAIT)) {
		blk_bounce_fail(orig, BLK_STS_AGAIN);
		return NULL;
	}
	if (!bio && size > BLK_BOUNCE_SIZE) {
		pr_warn_ratelimited("%pg: no memory to bounce %u bytes in one piece\n",
				    orig->bi_bdev, size);
		blk_bounce_fail(orig, BLK_STS_RESOURCE);
		return NULL;
	}
	if (!bio && !bio_list_empty(&current->bio_list[0])) {
		/* They may be parts of a bounce bio: let them go first. */
		bio_list_add(&current->bio_list[0], orig);
		return NULL;
	}
	if (!bio)
		bio = blk_bounce_chunk_wait(orig, size);
	if (!bio) {
		blk_bounce_fail(orig, BLK_STS_RESOURCE);
		return NULL;
	}
	atomic_long_inc(&q->pageless_bounced);
	if (size < orig->bi_iter.bi_size) {
		bio_inc_remaining(orig);
		bio_advance(orig, size);
		/* Accounted, throttled and checked as a whole already. */
		bio_list_add(&current->bio_list[0], orig);
	}
	return bio;
}

static int __init blk_pageless_init(void)
{
	int err;

	err = mempool_init_page_pool(&blk_bounce_pages, BLK_BOUNCE_PAGES, 0);
	if (err)
		return err;
	return bioset_init(&blk_bounce_bios, BIO_POOL_SIZE,
			   offsetof(struct blk_bounce, bio), BIOSET_NEED_BVECS);
}
subsys_initcall(blk_pageless_init);
