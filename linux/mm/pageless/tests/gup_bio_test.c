// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators and bios of user memory, with and without struct pages: what they name
 * and what they give back. Nobody touches the memory.
 */
#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include "eventually.h"
#include "user_range.h"

#define CHUNK		PAGELESS_CHUNK_PFNS

/* -------- iterators ----------------------------------------------------------- */

static ssize_t extract(struct kunit *test, struct iov_iter *iter, size_t max, size_t *offset)
{
	struct user_range *f = test->priv;

	f->nr = USER_EXTENTS;
	return iov_iter_extract_pfns(iter, f->extents, &f->nr, max, 0, offset);
}

static void iterator_of_a_buffer(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct iov_iter iter;
	size_t offset;

	user_map_frames(test, USER_ADDR, 0, 4, 0);
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)USER_ADDR + 101, 3 * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, iov_iter_may_be_pageless(&iter));
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, offset, 101);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 0, 4, false);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 0);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), 0);
	f->nr = 1;
	user_unpin(test);

	/* In three steps: within a page, across one, and to the end. */
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)USER_ADDR + 101, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, 1000, &offset), 1000);
	user_expect_frames(test, 0, 0, 1, false);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, PAGE_SIZE, &offset), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, offset, 1101);
	user_expect_frames(test, 0, 0, 2, false);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), 2 * PAGE_SIZE - 1000);
	KUNIT_EXPECT_EQ(test, offset, 1101);
	user_expect_frames(test, 0, 1, 3, false);
	user_unpin(test);
}

static void iterator_of_vectors(struct kunit *test)
{
	void __user *base = (void __user *)USER_ADDR;
	const struct iovec iov[] = {
		{ base, 0 }, { base + 7, 10 }, { base + PAGE_SIZE - 1, 2 },
		{ base + 2 * PAGE_SIZE + 9, 2 * PAGE_SIZE },
	};
	struct user_range *f = test->priv;
	struct iov_iter iter;
	size_t offset;

	user_map_frames(test, USER_ADDR, 50, 3, 0);
	user_map_pages(test, USER_ADDR + 3 * PAGE_SIZE, 2);
	iov_iter_init(&iter, ITER_DEST, iov, ARRAY_SIZE(iov), 12 + 2 * PAGE_SIZE);
	/* One segment at a time. */
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), 10);
	KUNIT_EXPECT_EQ(test, offset, 7);
	user_expect_frames(test, 0, 50, 1, false);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), 2);
	KUNIT_EXPECT_EQ(test, offset, PAGE_SIZE - 1);
	user_expect_frames(test, 0, 50, 2, false);
	user_unpin(test);
	/* No more room than for the first kind of it. */
	f->nr = 1;
	KUNIT_EXPECT_EQ(test, iov_iter_extract_pfns(&iter, f->extents, &f->nr, SIZE_MAX, 0,
						    &offset), PAGE_SIZE - 9);
	KUNIT_EXPECT_EQ(test, offset, 9);
	user_expect_frames(test, 0, 52, 1, false);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), PAGE_SIZE + 9);
	KUNIT_EXPECT_EQ(test, offset, 0);
	user_expect_pages(test, 0, USER_ADDR + 3 * PAGE_SIZE, 1);
	user_expect_pages(test, 1, USER_ADDR + 4 * PAGE_SIZE, 1);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 0);
}

static void iterator_says_what_is_done(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct iov_iter iter;
	size_t offset;

	/* A source may be read-only; a destination is written. */
	user_map(test, f->file, USER_ADDR, 0, 2, PROT_READ);
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)USER_ADDR, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), -EFAULT);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), PAGE_SIZE);
	iov_iter_ubuf(&iter, ITER_SOURCE, (void __user *)USER_ADDR, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), PAGE_SIZE);
	user_unpin(test);

	iov_iter_ubuf(&iter, ITER_SOURCE, (void __user *)USER_ADDR + PAGE_SIZE, PAGE_SIZE);
	iter.nofault = true;
	KUNIT_EXPECT_EQ(test, extract(test, &iter, SIZE_MAX, &offset), -EFAULT);

	user_map_frames(test, USER_ADDR, CHUNK, CHUNK, PMD_ORDER);
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)USER_ADDR, 8 * PAGE_SIZE);
	f->nr = USER_EXTENTS;
	KUNIT_EXPECT_EQ(test, iov_iter_extract_pfns(&iter, f->extents, &f->nr, SIZE_MAX,
						    ITER_SPLIT_PINS, &offset), 8 * PAGE_SIZE);
	user_expect_frames(test, 0, CHUNK, 8, false);
	user_unpin(test);
}

/* -------- bios ---------------------------------------------------------------- */

static struct bio *new_bio(struct kunit *test, unsigned int vecs)
{
	struct bio *bio = bio_alloc(NULL, vecs, REQ_OP_READ, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bio);
	return bio;
}

static void expect_bvec(struct kunit *test, struct bio *bio, int i, unsigned long frame,
			unsigned int offset, unsigned int len)
{
	struct user_range *f = test->priv;
	struct bio_vec *bv = &bio->bi_io_vec[i];

	KUNIT_ASSERT_GT_MSG(test, (int)bio->bi_vcnt, i, "bvec %d", i);
	KUNIT_EXPECT_TRUE_MSG(test, bvec_pageless(bv), "bvec %d", i);
	KUNIT_EXPECT_EQ_MSG(test, bvec_pfn(bv).val, (f->pfn + frame) | PFN_DEV, "bvec %d", i);
	KUNIT_EXPECT_EQ_MSG(test, bvec_phys(bv), PFN_PHYS(f->pfn + frame) + offset, "bvec %d", i);
	KUNIT_EXPECT_EQ_MSG(test, bv->bv_offset, offset, "bvec %d", i);
	KUNIT_EXPECT_EQ_MSG(test, bv->bv_len, len, "bvec %d", i);
}

static void expect_bvec_page(struct kunit *test, struct bio *bio, int i, unsigned long addr,
			     unsigned int len)
{
	struct bio_vec *bv = &bio->bi_io_vec[i];

	KUNIT_ASSERT_GT_MSG(test, (int)bio->bi_vcnt, i, "bvec %d", i);
	KUNIT_EXPECT_FALSE_MSG(test, bvec_pageless(bv), "bvec %d", i);
	KUNIT_EXPECT_EQ_MSG(test, bvec_phys(bv), page_to_phys(user_page_at(test, addr)) +
			    offset_in_page(addr), "bvec %d", i);
	KUNIT_EXPECT_EQ_MSG(test, bv->bv_len, len, "bvec %d", i);
}

static void get_buffer(struct kunit *test, struct bio *bio, unsigned long addr, size_t len)
{
	struct iov_iter iter;

	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)addr, len);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pfns(bio, &iter), 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 0);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, len);
}

static void one_bvec_names_a_mebibyte(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct bio *bio = new_bio(test, 4);

	user_map_frames(test, USER_ADDR, 2 * CHUNK, 2 * CHUNK, PMD_ORDER);
	get_buffer(test, bio, USER_ADDR + SZ_512K, SZ_1M);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 1);
	KUNIT_EXPECT_TRUE(test, bio_pageless(bio));
	expect_bvec(test, bio, 0, 2 * CHUNK + 128, 0, SZ_1M);
	KUNIT_EXPECT_EQ(test, user_pins(f), 1);
	bio_release_pages(bio, true);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);

	/* From one chunk into the next. */
	bio_reset(bio, NULL, REQ_OP_READ);
	get_buffer(test, bio, USER_ADDR + SZ_1M + 512, SZ_2M);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 1);
	expect_bvec(test, bio, 0, 2 * CHUNK + 256, 512, SZ_2M);
	KUNIT_EXPECT_EQ(test, user_pins(f), 2);
	bio_release_pages(bio, false);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	bio_put(bio);
}

static void bvecs_have_offsets(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct bio *bio = new_bio(test, 4);

	user_map_frames(test, USER_ADDR, 10, 3, 0);
	user_map_frames(test, USER_ADDR + 3 * PAGE_SIZE, 20, 2, 0);
	get_buffer(test, bio, USER_ADDR + 1536, 4 * PAGE_SIZE - 1024);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 2);
	expect_bvec(test, bio, 0, 10, 1536, 3 * PAGE_SIZE - 1536);
	expect_bvec(test, bio, 1, 20, 0, PAGE_SIZE + 512);
	KUNIT_EXPECT_EQ(test, user_pins(f), 5);
	/* The bvecs that the driver has consumed are given back as well. */
	bio_advance(bio, 2 * PAGE_SIZE);
	bio_release_pages(bio, false);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	bio_put(bio);
}

/* Two parts of a page, and of a frame: each part has a bvec and a pin of its own. */
static void segments_meet_in_a_page(struct kunit *test)
{
	void __user *base = (void __user *)USER_ADDR;
	const struct iovec iov[] = {
		{ base, 512 }, { base + 512, 1024 }, { base + PAGE_SIZE, 512 },
		{ base + PAGE_SIZE + 512, 512 },
	};
	struct user_range *f = test->priv;
	struct bio *bio = new_bio(test, 8);
	struct iov_iter iter;
	struct page *page;

	user_map_pages(test, USER_ADDR, 1);
	user_map_frames(test, USER_ADDR + PAGE_SIZE, 9, 1, 0);
	page = user_page_at(test, USER_ADDR);
	iov_iter_init(&iter, ITER_DEST, iov, ARRAY_SIZE(iov), 2560);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pfns(bio, &iter), 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 0);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 4);
	expect_bvec_page(test, bio, 0, USER_ADDR, 512);
	expect_bvec_page(test, bio, 1, USER_ADDR + 512, 1024);
	expect_bvec(test, bio, 2, 9, 0, 512);
	expect_bvec(test, bio, 3, 9, 512, 512);
	KUNIT_EXPECT_EQ(test, user_page_pins(page), 2);
	KUNIT_EXPECT_EQ(test, user_pins(f), 2);
	bio_release_pages(bio, false);
	KUNIT_EXPECT_EQ(test, user_page_pins(page), 0);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	bio_put(bio);
}

static void full_bio_leaves_the_rest(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct bio *bio, small;
	struct bio_vec vecs[2];
	struct iov_iter iter;
	int i;

	for (i = 0; i < 3; i++)
		user_map_frames(test, USER_ADDR + 2 * i * PAGE_SIZE, 5 * i, 2, 0);
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)USER_ADDR, 6 * PAGE_SIZE);
	bio_init(&small, NULL, vecs, ARRAY_SIZE(vecs), REQ_OP_READ);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pfns(&small, &iter), 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, small.bi_vcnt, 2);
	expect_bvec(test, &small, 1, 5, 0, 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, user_pins(f), 4);
	bio_release_pages(&small, false);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	bio_uninit(&small);

	/* A buffer that ends too early: what there is. */
	bio = new_bio(test, 4);
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)USER_ADDR + 3 * PAGE_SIZE, 5 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pfns(bio, &iter), 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 2);
	bio_release_pages(bio, false);
	bio_put(bio);

	bio = new_bio(test, 4);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pfns(bio, &iter), -EFAULT);
	bio_put(bio);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
}

/* A block device of which only the logical block size is looked at. */
static struct block_device *new_bdev(struct kunit *test, unsigned int block_size)
{
	struct block_device *bdev = kunit_kzalloc(test, sizeof(*bdev), GFP_KERNEL);
	struct request_queue *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	struct gendisk *disk = kunit_kzalloc(test, sizeof(*disk), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bdev);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_ASSERT_NOT_NULL(test, disk);
	q->limits.logical_block_size = block_size;
	disk->queue = q;
	bdev->bd_queue = q;
	bdev->bd_disk = disk;
	return bdev;
}

static void part_of_a_block_is_given_back(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long addr = USER_ADDR + PMD_SIZE;
	const struct {
		unsigned long addr, len, used, pins;
	} at[] = {
		/* Frames of their own; the last one is used, or is not. */
		{ addr - 4 * PAGE_SIZE, 3 * PAGE_SIZE + 512, 3 * PAGE_SIZE, 3 },
		{ addr - 4 * PAGE_SIZE + 512, 2 * PAGE_SIZE + 1024, 2 * PAGE_SIZE, 3 },
		/* A PMD: of its chunks those that are used. */
		{ addr, 9 * PAGE_SIZE + 512, 9 * PAGE_SIZE, 1 },
		{ addr + PMD_SIZE - PAGE_SIZE, PAGE_SIZE + 512, PAGE_SIZE, 1 },
		{ addr + PMD_SIZE - PAGE_SIZE, 3 * PAGE_SIZE - 512, 2 * PAGE_SIZE, 2 },
		/* Two kinds of entries. */
		{ addr - PAGE_SIZE, PAGE_SIZE + 512, PAGE_SIZE, 1 },
		{ addr - PAGE_SIZE, 512, 0, 0 },
	};
	struct block_device *bdev = new_bdev(test, PAGE_SIZE);
	struct iov_iter iter;
	struct bio *bio;
	int i;

	user_map_frames(test, addr - 4 * PAGE_SIZE, 0, 4, 0);
	user_map_frames(test, addr, 2 * CHUNK, 2 * CHUNK, PMD_ORDER);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		bio = new_bio(test, 4);
		bio->bi_bdev = bdev;
		iov_iter_ubuf(&iter, ITER_DEST, (void __user *)at[i].addr, at[i].len);
		KUNIT_EXPECT_EQ_MSG(test, bio_iov_iter_get_pfns(bio, &iter),
				    at[i].used ? 0 : -EFAULT, "buffer %d", i);
		KUNIT_EXPECT_EQ_MSG(test, bio->bi_iter.bi_size, at[i].used, "buffer %d", i);
		KUNIT_EXPECT_EQ_MSG(test, iov_iter_count(&iter), at[i].len - at[i].used,
				    "buffer %d", i);
		KUNIT_EXPECT_EQ_MSG(test, user_pins(f), at[i].pins, "buffer %d", i);
		bio_release_pages(bio, false);
		KUNIT_EXPECT_EQ_MSG(test, user_pins(f), 0, "buffer %d", i);
		bio->bi_bdev = NULL;
		bio_put(bio);
	}
}

/* Two frames, then two pages. */
static struct bio *mixed_bio(struct kunit *test)
{
	struct bio *bio = new_bio(test, 8);

	user_map_frames(test, USER_ADDR, 7, 2, 0);
	user_map_pages(test, USER_ADDR + 2 * PAGE_SIZE, 2);
	get_buffer(test, bio, USER_ADDR, 4 * PAGE_SIZE);
	expect_bvec(test, bio, 0, 7, 0, 2 * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, bio_pageless(bio));
	return bio;
}

/* What direct I/O reads into pages must not be lost when memory is short. */
static void pages_of_a_mixed_bio_are_made_dirty(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct bio *bio = mixed_bio(test);
	struct page *page = user_page_at(test, USER_ADDR + 3 * PAGE_SIZE);

	get_page(page);
	ClearPageDirty(page);
	bio_set_pages_dirty(bio);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	KUNIT_EXPECT_EQ(test, user_pins(f), 2);
	bio_check_pages_dirty(bio);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	KUNIT_EXPECT_EQ(test, user_page_pins(page), 0);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);

	/* Cleaned while the device wrote it: made dirty again, by a worker. */
	bio = mixed_bio(test);
	page = user_page_at(test, USER_ADDR + 3 * PAGE_SIZE);
	get_page(page);
	bio_set_pages_dirty(bio);
	ClearPageDirty(page);
	bio_check_pages_dirty(bio);
	KUNIT_EXPECT_TRUE(test, eventually(!user_pins(f) && !user_page_pins(page)));
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);
}

static void release_makes_pages_dirty(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct bio *bio = mixed_bio(test);
	struct page *page = user_page_at(test, USER_ADDR + 3 * PAGE_SIZE);

	get_page(page);
	ClearPageDirty(page);
	bio_release_pages(bio, true);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	KUNIT_EXPECT_EQ(test, user_page_pins(page), 0);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	put_page(page);
	bio_put(bio);
}

static struct kunit_case gup_bio_cases[] = {
	KUNIT_CASE(iterator_of_a_buffer),
	KUNIT_CASE(iterator_of_vectors),
	KUNIT_CASE(iterator_says_what_is_done),
	KUNIT_CASE(one_bvec_names_a_mebibyte),
	KUNIT_CASE(bvecs_have_offsets),
	KUNIT_CASE(segments_meet_in_a_page),
	KUNIT_CASE(full_bio_leaves_the_rest),
	KUNIT_CASE(part_of_a_block_is_given_back),
	KUNIT_CASE(pages_of_a_mixed_bio_are_made_dirty),
	KUNIT_CASE(release_makes_pages_dirty),
	{}
};

static struct kunit_suite gup_bio_suite = {
	.name = "pageless_gup_bio",
	.init = user_range_init,
	.exit = user_range_exit,
	.test_cases = gup_bio_cases,
};
kunit_test_suite(gup_bio_suite);

MODULE_DESCRIPTION("KUnit tests for bios of page-less user memory");
MODULE_LICENSE("GPL");
