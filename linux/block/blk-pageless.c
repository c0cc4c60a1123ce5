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
 * Forward progress: the reserve of pages is as large as one chunk, and who waits
 * for it waits alone. The rest of a bio is looked at again when all that the driver
 * made of the chunk has been submitted, so nobody waits for pages that he holds. Each
 * queue has a reserve of its own, because a chunk may wait for what goes through the
 * gate of a queue further down: dm-writecache in front of a disk. It is made when the
 * queue has its first copy; until then, or if there was no memory, one serves all.
 */
#include <linux/bio.h>
#include <linux/blk-crypto.h>
#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "blk.h"
#include "blk-cgroup.h"

/* Pages of a chunk: 256 KiB, a multiple of every block size. */
#define BLK_BOUNCE_PAGES	64
#define BLK_BOUNCE_SIZE		(BLK_BOUNCE_PAGES * PAGE_SIZE)

/**
 * struct blk_bounce_reserve - what one chunk needs when there is no memory
 * @pages: pages of a chunk
 * @bios: struct blk_bounce
 * @waiter: held by who waits for either
 * @queue: who has it
 * @make: fills it
 * @ready: @make has
 */
struct blk_bounce_reserve {
	mempool_t pages;
	struct bio_set bios;
	struct mutex waiter;
	struct request_queue *queue;
	struct work_struct make;
	bool ready;
};

/**
 * struct blk_bounce - a part of a page-less bio and its copy in ordinary memory
 * @orig: the bio that was submitted
 * @reserve: where its memory is from
 * @iter: the part of @orig
 * @work: copies what was read
 * @bio: the copy, each page filled from its start
 */
struct blk_bounce {
	struct bio *orig;
	struct blk_bounce_reserve *reserve;
	struct bvec_iter iter;
	struct work_struct work;
	struct bio bio;		/* last: the bio set puts bvecs behind it */
};

static struct blk_bounce_reserve blk_bounce_shared;	/* of queues that have none yet */
static struct workqueue_struct *blk_bounce_wq;

static bool bio_has_pageless(struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	if (!bio_has_data(bio))
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

/* -------- reserves -------------------------------------------------------- */

static void blk_bounce_exit_reserve(struct blk_bounce_reserve *reserve)
{
	bioset_exit(&reserve->bios);
	mempool_exit(&reserve->pages);
}

static int blk_bounce_init_reserve(struct blk_bounce_reserve *reserve)
{
	int err;

	mutex_init(&reserve->waiter);
	err = mempool_init_page_pool(&reserve->pages, BLK_BOUNCE_PAGES, 0) ?:
	      bioset_init(&reserve->bios, BIO_POOL_SIZE,
			  offsetof(struct blk_bounce, bio), BIOSET_NEED_BVECS) ?:
	      bioset_integrity_create(&reserve->bios, BIO_POOL_SIZE);
	if (err)
		blk_bounce_exit_reserve(reserve);
	return err;
}

static void blk_bounce_make_reserve(struct work_struct *work)
{
	struct blk_bounce_reserve *reserve =
		container_of(work, struct blk_bounce_reserve, make);

	if (!blk_bounce_init_reserve(reserve)) {
		/* Pairs with smp_load_acquire() in blk_bounce_reserve(). */
		smp_store_release(&reserve->ready, true);
	}
	blk_put_queue(reserve->queue);
}

/* In a work item: I/O does not wait for more memory than it needs itself. */
static void blk_bounce_want_reserve(struct request_queue *q)
{
	struct blk_bounce_reserve *reserve;

	reserve = kzalloc(sizeof(*reserve), GFP_NOWAIT | __GFP_NOWARN);
	if (!reserve)
		return;
	INIT_WORK(&reserve->make, blk_bounce_make_reserve);
	reserve->queue = q;
	if (cmpxchg(&q->pageless_reserve, NULL, reserve))
		kfree(reserve);
	else if (blk_get_queue(q))
		schedule_work(&reserve->make);
}

static struct blk_bounce_reserve *blk_bounce_reserve(struct request_queue *q)
{
	struct blk_bounce_reserve *reserve = READ_ONCE(q->pageless_reserve);

	if (!reserve) {
		blk_bounce_want_reserve(q);
		return &blk_bounce_shared;
	}
	/* Pairs with smp_store_release() in blk_bounce_make_reserve(). */
	return smp_load_acquire(&reserve->ready) ? reserve : &blk_bounce_shared;
}

/* -------- pages ----------------------------------------------------------- */

static void blk_bounce_free_pages(struct blk_bounce *bounce)
{
	struct bio *bio = &bounce->bio;
	struct bio_vec *bv;
	int i;

	bio_for_each_bvec_all(bv, bio, i)
		mempool_free(bvec_page(bv), &bounce->reserve->pages);
	bio->bi_vcnt = 0;
	bio->bi_iter.bi_size = 0;
}

/* The reserve is for chunks; what is larger may fail. */
static bool blk_bounce_alloc_pages(struct blk_bounce *bounce, unsigned int size, gfp_t gfp)
{
	bool reserved = size <= BLK_BOUNCE_SIZE;

	while (size) {
		unsigned int len = min_t(unsigned int, size, PAGE_SIZE);
		struct page *page = reserved ? mempool_alloc(&bounce->reserve->pages, gfp) :
					       alloc_page(gfp);

		if (!page) {
			blk_bounce_free_pages(bounce);
			return false;
		}
		__bio_add_page(&bounce->bio, page, len, 0);
		size -= len;
	}
	return true;
}

/* From persistent memory, which may be poisoned. */
static bool blk_bounce_copy_in(struct bio *bio, struct blk_bounce *bounce)
{
	struct bvec_iter to = bio->bi_iter, from = bounce->iter;
	unsigned long left = 0;

	while (from.bi_size && !left) {
		struct bio_vec dst = bio_iter_iovec(bio, to);
		struct bio_vec src = bio_iter_iovec(bounce->orig, from);
		unsigned int len = min(dst.bv_len, src.bv_len);
		void *src_mem = bvec_kmap_local(&src);

		left = copy_mc_to_kernel(bvec_virt(&dst), src_mem, len);
		kunmap_local(src_mem);
		bio_advance_iter_single(bio, &to, len);
		bio_advance_iter_single(bounce->orig, &from, len);
	}
	return !left;
}

/* -------- a chunk ---------------------------------------------------------- */

static void blk_bounce_free(struct blk_bounce *bounce)
{
	blk_bounce_free_pages(bounce);
	bio_put(&bounce->bio);
}

static void blk_bounce_end(struct blk_bounce *bounce)
{
	struct bio *orig = bounce->orig;

	if (bounce->bio.bi_status && !orig->bi_status)
		orig->bi_status = bounce->bio.bi_status;
	blk_bounce_free(bounce);
	bio_endio(orig);
}

static void blk_bounce_copy_out(struct work_struct *work)
{
	struct blk_bounce *bounce = container_of(work, struct blk_bounce, work);
	struct bvec_iter from = { .bi_size = bounce->iter.bi_size };

	bio_copy_data_iter(bounce->orig, &bounce->iter, &bounce->bio, &from);
	blk_bounce_end(bounce);
}

static void blk_bounce_end_io(struct bio *bio)
{
	struct blk_bounce *bounce = container_of(bio, struct blk_bounce, bio);

	if (!bio->bi_status && bio_op(bio) == REQ_OP_READ) {
		/* Slow memory: not in an interrupt. */
		queue_work(blk_bounce_wq, &bounce->work);
		return;
	}
	if (bio_op(bio) == REQ_OP_ZONE_APPEND)
		bounce->orig->bi_iter.bi_sector = bio->bi_iter.bi_sector;
	blk_bounce_end(bounce);
}

/* What a driver may look at in @orig, it finds in @bio. */
static int blk_bounce_inherit(struct bio *bio, struct bio *orig, gfp_t gfp)
{
	bio->bi_iter.bi_sector = orig->bi_iter.bi_sector;
	bio->bi_ioprio = orig->bi_ioprio;
	bio->bi_write_hint = orig->bi_write_hint;
	if (bio_flagged(orig, BIO_REMAPPED))
		bio_set_flag(bio, BIO_REMAPPED);
	/* Accounted and throttled as a part of @orig, whatever becomes of it. */
	if (bio_flagged(orig, BIO_CGROUP_ACCT))
		bio_set_flag(bio, BIO_CGROUP_ACCT);
	if (bio_flagged(orig, BIO_BPS_THROTTLED))
		bio_set_flag(bio, BIO_BPS_THROTTLED);
	bio_clone_blkg_association(bio, orig);
	blkcg_bio_issue_init(bio);
	if (bio_crypt_clone(bio, orig, gfp) < 0)
		return -ENOMEM;
	if (bio_integrity(orig)) {
		if (bio_integrity_clone(bio, orig, gfp) < 0)
			return -ENOMEM;
		bio_integrity_trim(bio);
	}
	return 0;
}

static struct bio *blk_bounce_chunk(struct bio *orig, struct blk_bounce_reserve *reserve,
				    unsigned int size, gfp_t gfp)
{
	struct blk_bounce *bounce;
	struct bio *bio;

	/* The submitter of a polled bio polls a cookie that this one does not set. */
	bio = bio_alloc_bioset(orig->bi_bdev, DIV_ROUND_UP(size, PAGE_SIZE),
			       orig->bi_opf & ~REQ_POLLED, gfp, &reserve->bios);
	if (!bio)
		return NULL;
	bounce = container_of(bio, struct blk_bounce, bio);
	bounce->orig = orig;
	bounce->reserve = reserve;
	bounce->iter = orig->bi_iter;
	bounce->iter.bi_size = size;
	INIT_WORK(&bounce->work, blk_bounce_copy_out);
	if (!blk_bounce_alloc_pages(bounce, size, gfp))
		goto err_put;
	if (blk_bounce_inherit(bio, orig, gfp))
		goto err_pages;
	bio->bi_end_io = blk_bounce_end_io;
	return bio;

err_pages:
	blk_bounce_free_pages(bounce);
err_put:
	bio_put(bio);
	return NULL;
}

static struct bio *blk_bounce_get_chunk(struct bio *orig, unsigned int size)
{
	struct blk_bounce_reserve *reserve = blk_bounce_reserve(bdev_get_queue(orig->bi_bdev));
	struct bio *bio;

	bio = blk_bounce_chunk(orig, reserve, size, GFP_NOWAIT | __GFP_NOWARN);
	if (bio || (orig->bi_opf & REQ_NOWAIT))
		return bio;
	mutex_lock(&reserve->waiter);
	bio = blk_bounce_chunk(orig, reserve, size, GFP_NOIO);
	mutex_unlock(&reserve->waiter);
	return bio;
}

/* What cannot be had in one piece, and must be. */
static blk_status_t blk_bounce_check(struct bio *orig, unsigned int size)
{
	unsigned int nr_pages = DIV_ROUND_UP(size, PAGE_SIZE);

	/* Its zone has admitted it as it is. */
	if (bio_flagged(orig, BIO_ZONE_WRITE_PLUGGING))
		return BLK_STS_IOERR;
	if (bio_op(orig) == REQ_OP_ZONE_APPEND &&
	    nr_pages > queue_max_segments(bdev_get_queue(orig->bi_bdev)))
		return BLK_STS_NOTSUPP;
	if (nr_pages > BIO_MAX_VECS)
		return orig->bi_opf & REQ_NOWAIT ? BLK_STS_AGAIN : BLK_STS_NOTSUPP;
	return BLK_STS_OK;
}

/* -------- interface --------------------------------------------------------- */

/**
 * blk_pageless_bounce() - replace a page-less bio by a copy in ordinary memory
 * @orig: a bio with BIO_PAGELESS for a queue without BLK_FEAT_PAGELESS
 * @rest: set to @orig if it is larger than a chunk, or to NULL; to be submitted
 *	after the bio that is returned, and after what the driver makes of that
 *
 * @orig ends when all its parts have. A polled bio ends by interrupt. A bio that
 * must not wait and one that must not be split are copied whole or end with
 * BLK_STS_AGAIN or BLK_STS_RESOURCE, and above 1 MiB with BLK_STS_AGAIN or
 * BLK_STS_NOTSUPP; a zone append of more pages than the queue has segments with
 * BLK_STS_NOTSUPP. What its zone has admitted already, and a write from poisoned
 * memory, end with BLK_STS_IOERR.
 *
 * Context: process context, below submit_bio_noacct(); may sleep.
 * Return: the bio to submit in its place: @orig itself if it names no page-less
 * memory and no user memory, or NULL when it has ended.
 */
struct bio *blk_pageless_bounce(struct bio *orig, struct bio **rest)
{
	unsigned int size = orig->bi_iter.bi_size;
	blk_status_t status;
	struct bio *bio;

	*rest = NULL;
	/* Who pinned user memory goes by the flag to give it back, all of it. */
	if (!bio_has_pageless(orig) && !bio_flagged(orig, BIO_PAGE_PINNED)) {
		bio_clear_flag(orig, BIO_PAGELESS);
		return orig;
	}
	if (bio_may_be_split(orig))
		size = min_t(unsigned int, size, BLK_BOUNCE_SIZE);
	status = blk_bounce_check(orig, size);
	if (status)
		goto fail;

	status = orig->bi_opf & REQ_NOWAIT ? BLK_STS_AGAIN : BLK_STS_RESOURCE;
	bio = blk_bounce_get_chunk(orig, size);
	if (!bio)
		goto fail;
	if (op_is_write(bio_op(bio)) &&
	    !blk_bounce_copy_in(bio, container_of(bio, struct blk_bounce, bio))) {
		blk_bounce_free(container_of(bio, struct blk_bounce, bio));
		status = BLK_STS_IOERR;
		goto fail;
	}
	atomic_long_inc(&bdev_get_queue(orig->bi_bdev)->pageless_bounced);
	if (size < orig->bi_iter.bi_size) {
		bio_inc_remaining(orig);
		bio_advance(orig, size);
		*rest = orig;
	}
	return bio;

fail:
	if (status != BLK_STS_AGAIN)
		pr_warn_ratelimited("%pg: cannot bounce %u page-less bytes: %d\n",
				    orig->bi_bdev, size, blk_status_to_errno(status));
	orig->bi_status = status;
	if (status == BLK_STS_AGAIN)
		bio_set_flag(orig, BIO_QUIET);
	bio_endio(orig);
	return NULL;
}

/**
 * blk_pageless_chunk() - is a bio a copy that blk_pageless_bounce() has made?
 * @bio: the bio, or what is left of it after a split
 *
 * Return: true if it must not be held back by its queue behind its own rest, which
 * may wait for its memory.
 */
bool blk_pageless_chunk(const struct bio *bio)
{
	return bio->bi_end_io == blk_bounce_end_io;
}

/**
 * blk_pageless_free_queue() - undo what blk_pageless_bounce() has made for a queue
 * @q: the queue, that nobody uses any more
 *
 * Context: may sleep.
 */
void blk_pageless_free_queue(struct request_queue *q)
{
	struct blk_bounce_reserve *reserve = q->pageless_reserve;

	if (reserve && reserve->ready)
		blk_bounce_exit_reserve(reserve);
	kfree(reserve);
}

static int __init blk_pageless_init(void)
{
	blk_bounce_wq = alloc_workqueue("blk_bounce", WQ_MEM_RECLAIM | WQ_HIGHPRI, 0);
	if (!blk_bounce_wq)
		panic("Failed to create blk_bounce workqueue\n");
	if (blk_bounce_init_reserve(&blk_bounce_shared))
		panic("Failed to reserve memory for page-less I/O\n");
	return 0;
}
subsys_initcall(blk_pageless_init);
