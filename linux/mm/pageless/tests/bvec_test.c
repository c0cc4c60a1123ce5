// SPDX-License-Identifier: GPL-2.0
/*
 * bvecs and bios that name memory without struct pages. Names, iterators and
 * merging are tested with ranges at physical addresses that nothing uses; data
 * with a range that has memory.
 */
#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/bvec.h>
#include <linux/scatterlist.h>
#include <linux/uio.h>
#include "../../../block/blk.h"
#include "backed_range.h"

#define NR_VECS		8
#define RANGE_PAGES	8
#define NR_FRAMES	4

struct bvec_fixture {
	struct pageless_range low, high;	/* they touch */
	struct pageless_range backed;		/* test_frames() */
	struct page *pages[NR_FRAMES];		/* what its addresses reach */
	struct bio bio, other;
	struct bio_vec vecs[NR_VECS], other_vecs[NR_VECS];
};

static void bvec_exit(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;

	if (!f)
		return;
	bio_uninit(&f->bio);
	bio_uninit(&f->other);
	backed_range_unregister(&f->backed, f->pages, NR_FRAMES);
	if (f->high.size)
		pageless_unregister(&f->high);
	if (f->low.size)
		pageless_unregister(&f->low);
}

static int bvec_init(struct kunit *test)
{
	struct bvec_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	bio_init(&f->bio, NULL, f->vecs, NR_VECS, REQ_OP_WRITE);
	bio_init(&f->other, NULL, f->other_vecs, NR_VECS, REQ_OP_READ);
	test->priv = f;
	return 0;
}

static void test_register(struct kunit *test, struct pageless_range *range, phys_addr_t start)
{
	struct pageless_range new = {
		.start = start,
		.size = RANGE_PAGES * PAGE_SIZE,
		.name = "kunit",
		.nid = NUMA_NO_NODE,
	};

	*range = new;
	if (pageless_register(range)) {
		range->size = 0;
		KUNIT_FAIL_AND_ABORT(test, "no page-less range");
	}
}

/* Two ranges, one behind the other, as two NVDIMMs may lie. */
static void test_ranges(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;
	phys_addr_t base = unused_addresses(test), size = RANGE_PAGES * PAGE_SIZE;

	test_register(test, &f->low, base);
	test_register(test, &f->high, base + size);
}

static pfn_t test_pfn(const struct pageless_range *range, unsigned int nr)
{
	return __pfn_to_pfn_t(pageless_start_pfn(range) + nr, PFN_DEV);
}

/* Page-less memory of zeroes, and its name: who asks for the page of it gets NULL and shows. */
static u8 *test_frames(struct kunit *test, pfn_t *pfn)
{
	struct bvec_fixture *f = test->priv;

	backed_range_register(test, &f->backed, f->pages, NR_FRAMES);
	*pfn = test_pfn(&f->backed, 0);
	return __va(f->backed.start);
}

/* Page aligned ordinary memory. */
static u8 *test_pages(struct kunit *test, unsigned int pages)
{
	u8 *mem = kunit_kzalloc(test, pages * PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_ASSERT_TRUE(test, PAGE_ALIGNED(mem));
	return mem;
}

static void fill(u8 *mem, unsigned int len, u8 seed)
{
	while (len--)
		*mem++ = seed + len % 251;
}

/* -------- names ------------------------------------------------------------ */

/* A frame that changes on its way through a bio_vec is another one's data. */
static void bvec_keeps_its_frame(struct kunit *test)
{
	const unsigned long pfns[] = {
		0, 1, 0xfffff, 0x100000, PHYS_PFN((phys_addr_t)-1) & ~(unsigned long)PFN_FLAGS_MASK,
	};
	struct bio_vec bv;
	int i;

	for (i = 0; i < ARRAY_SIZE(pfns); i++) {
		bvec_set_pfn(&bv, __pfn_to_pfn_t(pfns[i], PFN_DEV), 1536, 512);
		KUNIT_EXPECT_TRUE(test, bvec_pageless(&bv));
		KUNIT_EXPECT_PTR_EQ(test, bvec_page(&bv), NULL);
		KUNIT_EXPECT_EQ(test, bvec_pfn(&bv).val, pfns[i] | PFN_DEV);
		KUNIT_EXPECT_EQ(test, bvec_phys(&bv), PFN_PHYS(pfns[i]) + 512);
		KUNIT_EXPECT_EQ(test, bv.bv_len, 1536);
		KUNIT_EXPECT_EQ(test, bv.bv_offset, 512);
	}
}

static void bvec_keeps_its_page(struct kunit *test)
{
	struct page *page = ZERO_PAGE(0);
	struct bio_vec bv;

	bvec_set_pfn(&bv, page_to_pfn_t(page), 1536, 512);
	KUNIT_EXPECT_FALSE(test, bvec_pageless(&bv));
	KUNIT_EXPECT_PTR_EQ(test, bvec_page(&bv), page);
	KUNIT_EXPECT_EQ(test, bvec_pfn(&bv).val, page_to_pfn_t(page).val);
	KUNIT_EXPECT_EQ(test, bvec_phys(&bv), page_to_phys(page) + 512);

	/* As a page-backed DAX device names it. */
	bvec_set_pfn(&bv, __pfn_to_pfn_t(page_to_pfn(page), PFN_DEV | PFN_MAP), 1536, 512);
	KUNIT_EXPECT_FALSE(test, bvec_pageless(&bv));
	KUNIT_EXPECT_PTR_EQ(test, bvec_page(&bv), page);

	bvec_set_pfn(&bv, __pfn_to_pfn_t(1, PFN_DEV), 1536, 512);
	bvec_assign_page(&bv, page);
	KUNIT_EXPECT_PTR_EQ(test, bvec_page(&bv), page);
	KUNIT_EXPECT_EQ(test, bv.bv_len, 1536);
}

/* -------- iterators --------------------------------------------------------- */

#define FIRST	0x123456UL
#define OFFSET	(2 * PAGE_SIZE + 512)
#define LENGTH	(3 * PAGE_SIZE + 1024)

/* Page-backed, three frames and some, page-backed. */
static void test_vecs(struct bio_vec vecs[3])
{
	bvec_set_page(&vecs[0], ZERO_PAGE(0), 1024, 0);
	bvec_set_pfn(&vecs[1], __pfn_to_pfn_t(FIRST, PFN_DEV), LENGTH, OFFSET);
	bvec_set_page(&vecs[2], ZERO_PAGE(0), 512, 512);
}

/* The page-less part, of which @done bytes have been seen, goes on with @bv. */
static void expect_frame(struct kunit *test, const struct bio_vec *bv, unsigned int done)
{
	unsigned int at = OFFSET + done;

	KUNIT_EXPECT_TRUE(test, bvec_pageless(bv));
	KUNIT_EXPECT_EQ(test, bvec_pfn(bv).val, (FIRST + at / PAGE_SIZE) | PFN_DEV);
	KUNIT_EXPECT_EQ(test, bv->bv_offset, at % PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, bv->bv_len, min(PAGE_SIZE - at % PAGE_SIZE, LENGTH - done));
}

static void iterator_visits_each_frame(struct kunit *test)
{
	struct bvec_iter start = { .bi_size = 1024 + LENGTH + 512 }, iter;
	struct bio_vec vecs[3], bv;
	unsigned int done = 0, n = 0;

	test_vecs(vecs);
	for_each_bvec(bv, vecs, iter, start) {
		if (done < 1024 || done >= 1024 + LENGTH)
			KUNIT_EXPECT_PTR_EQ(test, bvec_page(&bv), ZERO_PAGE(0));
		else
			expect_frame(test, &bv, done - 1024);
		done += bv.bv_len;
		n++;
	}
	KUNIT_EXPECT_EQ(test, done, 1024 + LENGTH + 512);
	KUNIT_EXPECT_EQ(test, n, 6);
}

static void iterator_stops_anywhere(struct kunit *test)
{
	struct bio_vec vecs[3], bv;
	unsigned int done;

	test_vecs(vecs);
	for (done = 0; done < LENGTH; done += 512) {
		struct bvec_iter iter = { .bi_size = 1024 + LENGTH + 512 };

		KUNIT_ASSERT_TRUE(test, bvec_iter_advance(vecs, &iter, 1024 + done));
		bv = bvec_iter_bvec(vecs, iter);
		expect_frame(test, &bv, done);

		/* The rest of it in one piece. */
		bv = mp_bvec_iter_bvec(vecs, iter);
		KUNIT_EXPECT_EQ(test, bvec_phys(&bv), PFN_PHYS(FIRST) + OFFSET + done);
		KUNIT_EXPECT_EQ(test, bv.bv_len, LENGTH - done);
	}
}

static void iterator_of_all_visits_each_frame(struct kunit *test)
{
	struct bio_vec vecs[3], *bv;
	struct bvec_iter_all iter;
	unsigned int done = 0;

	test_vecs(vecs);
	bv = bvec_init_iter_all(&iter);
	bvec_advance(&vecs[0], &iter);
	KUNIT_EXPECT_PTR_EQ(test, bvec_page(bv), ZERO_PAGE(0));
	KUNIT_EXPECT_EQ(test, iter.idx, 1);
	while (iter.idx == 1) {
		bvec_advance(&vecs[1], &iter);
		expect_frame(test, bv, done);
		done += bv->bv_len;
	}
	KUNIT_EXPECT_EQ(test, done, LENGTH);
	bvec_advance(&vecs[2], &iter);
	KUNIT_EXPECT_PTR_EQ(test, bvec_page(bv), ZERO_PAGE(0));
}

/* -------- merging ------------------------------------------------------------ */

static void expect_added(struct kunit *test, pfn_t pfn, unsigned int len, unsigned int offset,
			 unsigned int vecs)
{
	struct bvec_fixture *f = test->priv;
	unsigned int size = f->bio.bi_iter.bi_size;

	KUNIT_EXPECT_EQ(test, bio_add_pfn(&f->bio, pfn, len, offset), len);
	KUNIT_EXPECT_EQ(test, f->bio.bi_iter.bi_size, size + len);
	KUNIT_EXPECT_EQ(test, f->bio.bi_vcnt, vecs);
}

static void frames_of_one_range_merge(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;

	test_ranges(test);
	expect_added(test, test_pfn(&f->low, 0), PAGE_SIZE, 0, 1);
	expect_added(test, test_pfn(&f->low, 1), PAGE_SIZE, 0, 1);
	expect_added(test, test_pfn(&f->low, 2), 512, 0, 1);
	/* Within a frame, and then across frames. */
	expect_added(test, test_pfn(&f->low, 2), 512, 512, 1);
	expect_added(test, test_pfn(&f->low, 2), 2 * PAGE_SIZE, 1024, 1);
	KUNIT_EXPECT_EQ(test, bvec_phys(&f->vecs[0]), f->low.start);
	KUNIT_EXPECT_EQ(test, f->vecs[0].bv_len, 4 * PAGE_SIZE + 1024);
	/* Not what is elsewhere: a gap, a step back, the same again. */
	expect_added(test, test_pfn(&f->low, 6), 512, 0, 2);
	expect_added(test, test_pfn(&f->low, 5), PAGE_SIZE, 0, 3);
	expect_added(test, test_pfn(&f->low, 5), PAGE_SIZE, 0, 4);
}

static void ranges_that_touch_do_not_merge(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;

	test_ranges(test);
	expect_added(test, test_pfn(&f->low, RANGE_PAGES - 1), PAGE_SIZE, 0, 1);
	expect_added(test, test_pfn(&f->high, 0), PAGE_SIZE, 0, 2);
	expect_added(test, test_pfn(&f->high, 1), PAGE_SIZE, 0, 2);
}

static void kinds_do_not_merge(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;
	struct page *page = alloc_pages(GFP_KERNEL, 2);
	unsigned long pfn;

	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	/* One address behind the other, of alternating kinds. Nothing touches the memory. */
	expect_added(test, pfn_to_pfn_t(pfn), PAGE_SIZE, 0, 1);
	expect_added(test, __pfn_to_pfn_t(pfn + 1, PFN_DEV), PAGE_SIZE, 0, 2);
	expect_added(test, pfn_to_pfn_t(pfn + 2), PAGE_SIZE, 0, 3);
	KUNIT_EXPECT_EQ(test, bio_add_page(&f->bio, page + 3, PAGE_SIZE, 0), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, f->bio.bi_vcnt, 3);
	__free_pages(page, 2);
}

static void full_bio_takes_no_more(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;
	unsigned int i;

	test_ranges(test);
	/* Backwards, so that nothing merges. */
	for (i = 0; i < NR_VECS; i++)
		expect_added(test, test_pfn(&f->low, RANGE_PAGES - 1 - i), 512, 0, i + 1);
	KUNIT_EXPECT_EQ(test, bio_add_pfn(&f->bio, test_pfn(&f->high, 0), 512, 0), 0);
	KUNIT_EXPECT_EQ(test, f->bio.bi_iter.bi_size, NR_VECS * 512);
	/* But for what merges. */
	expect_added(test, test_pfn(&f->low, 0), 512, 512, NR_VECS);
}

/* Segments that a driver is given of a request of two bios, one page each. */
static unsigned int request_segments(struct kunit *test, pfn_t first, pfn_t second)
{
	struct bvec_fixture *f = test->priv;
	struct request_queue *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	struct request *rq = kunit_kzalloc(test, sizeof(*rq), GFP_KERNEL);
	struct scatterlist sg[2];
	unsigned int nr;

	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_ASSERT_NOT_NULL(test, rq);
	/* A device without limits. */
	q->limits.seg_boundary_mask = ULONG_MAX;
	q->limits.max_segment_size = UINT_MAX;
	bio_reset(&f->bio, NULL, REQ_OP_WRITE);
	bio_reset(&f->other, NULL, REQ_OP_WRITE);
	KUNIT_ASSERT_EQ(test, bio_add_pfn(&f->bio, first, PAGE_SIZE, 0), PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, bio_add_pfn(&f->other, second, PAGE_SIZE, 0), PAGE_SIZE);
	f->bio.bi_next = &f->other;
	rq->q = q;
	rq->bio = &f->bio;
	rq->biotail = &f->other;
	rq->nr_phys_segments = 2;

	sg_init_table(sg, 2);
	nr = blk_rq_map_sg(q, rq, sg);
	KUNIT_EXPECT_EQ(test, sg_phys(&sg[0]), pfn_t_to_phys(first));
	KUNIT_EXPECT_EQ(test, sg_pageless(&sg[0]), pfn_t_pageless(first));
	KUNIT_EXPECT_EQ(test, sg[0].length, nr == 1 ? 2 * PAGE_SIZE : PAGE_SIZE);
	if (nr == 2) {
		KUNIT_EXPECT_EQ(test, sg_phys(&sg[1]), pfn_t_to_phys(second));
		KUNIT_EXPECT_EQ(test, sg_pageless(&sg[1]), pfn_t_pageless(second));
		KUNIT_EXPECT_EQ(test, sg[1].length, PAGE_SIZE);
	}
	/* For the DMA iterator and for integrity, the same. */
	KUNIT_EXPECT_EQ(test, biovec_phys_mergeable(q, &f->vecs[0], &f->other_vecs[0]), nr == 1);
	f->bio.bi_next = NULL;
	return nr;
}

/* A segment is mapped for DMA as a whole, and its memory must not go in two steps. */
static void segments_of_ranges_do_not_merge(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;
	unsigned int last = RANGE_PAGES - 1;

	test_ranges(test);
	KUNIT_EXPECT_EQ(test, request_segments(test, test_pfn(&f->low, last),
					       test_pfn(&f->high, 0)), 2);
	KUNIT_EXPECT_EQ(test, request_segments(test, test_pfn(&f->low, last - 1),
					       test_pfn(&f->low, last)), 1);
	KUNIT_EXPECT_EQ(test, request_segments(test, test_pfn(&f->high, 0),
					       test_pfn(&f->high, 1)), 1);
	/* A gap, and a step back. */
	KUNIT_EXPECT_EQ(test, request_segments(test, test_pfn(&f->low, 0),
					       test_pfn(&f->low, 2)), 2);
	KUNIT_EXPECT_EQ(test, request_segments(test, test_pfn(&f->low, 1),
					       test_pfn(&f->low, 0)), 2);
}

static void segments_of_kinds_do_not_merge(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, 1);
	pfn_t pages[2], less[2];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	/* Two names of the same memory, which nothing touches. */
	for (i = 0; i < 2; i++) {
		pages[i] = page_to_pfn_t(page + i);
		less[i] = __pfn_to_pfn_t(page_to_pfn(page + i), PFN_DEV);
	}
	KUNIT_EXPECT_EQ(test, request_segments(test, pages[0], pages[1]), 1);
	KUNIT_EXPECT_EQ(test, request_segments(test, pages[0], less[1]), 2);
	KUNIT_EXPECT_EQ(test, request_segments(test, less[0], pages[1]), 2);
	__free_pages(page, 1);
}

/* -------- the bio's flag ------------------------------------------------------ */

/* The gate looks at the flag alone: without it a driver is handed a NULL page. */
static void bio_knows_that_it_is_pageless(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;

	KUNIT_EXPECT_FALSE(test, bio_pageless(&f->bio));
	expect_added(test, page_to_pfn_t(ZERO_PAGE(0)), 512, 0, 1);
	KUNIT_EXPECT_FALSE(test, bio_pageless(&f->bio));
	expect_added(test, __pfn_to_pfn_t(FIRST, PFN_DEV), 512, 0, 2);
	KUNIT_EXPECT_TRUE(test, bio_pageless(&f->bio));
	expect_added(test, page_to_pfn_t(ZERO_PAGE(0)), 512, 0, 3);
	KUNIT_EXPECT_TRUE(test, bio_pageless(&f->bio));
	bio_reset(&f->bio, NULL, REQ_OP_READ);
	KUNIT_EXPECT_FALSE(test, bio_pageless(&f->bio));
}

static void clones_and_splits_know_it_too(struct kunit *test)
{
	struct bvec_fixture *f = test->priv;
	struct bio *clone, *split, *again;

	expect_added(test, __pfn_to_pfn_t(FIRST, PFN_DEV), 4 * PAGE_SIZE, 0, 1);

	/* Of a mempool, and allowed to wait: these do not fail. */
	clone = bio_alloc_clone(NULL, &f->bio, GFP_KERNEL, &fs_bio_set);
	split = bio_split(&f->bio, 1, GFP_KERNEL, &fs_bio_set);
	again = bio_split(&f->bio, 1, GFP_KERNEL, &fs_bio_set);
	KUNIT_EXPECT_TRUE(test, bio_pageless(clone));
	KUNIT_EXPECT_TRUE(test, bio_pageless(split));
	KUNIT_EXPECT_TRUE(test, bio_pageless(again));
	KUNIT_EXPECT_TRUE(test, bio_pageless(&f->bio));
	KUNIT_EXPECT_EQ(test, clone->bi_iter.bi_size, 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, again->bi_iter.bi_bvec_done, 512);
	KUNIT_EXPECT_EQ(test, f->bio.bi_iter.bi_bvec_done, 1024);
	bio_put(again);
	bio_put(split);
	bio_put(clone);

	bio_uninit(&f->other);
	KUNIT_EXPECT_EQ(test, bio_init_clone(NULL, &f->other, &f->bio, GFP_KERNEL), 0);
	KUNIT_EXPECT_TRUE(test, bio_pageless(&f->other));
}

/* -------- data ----------------------------------------------------------------- */

static void bvec_copies_and_clears(struct kunit *test)
{
	u8 *mem, *buf = test_pages(test, 1);
	struct bio_vec bv;
	void *addr;
	pfn_t pfn;

	mem = test_frames(test, &pfn);
	fill(buf, PAGE_SIZE, 1);
	bvec_set_pfn(&bv, pfn, 1000, 100);
	memcpy_to_bvec(&bv, buf);
	KUNIT_EXPECT_MEMEQ(test, mem + 100, buf, 1000);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(mem, 0, 100), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(mem + 1100, 0, PAGE_SIZE - 1100), NULL);

	memset(buf, 0, PAGE_SIZE);
	memcpy_from_bvec(buf, &bv);
	KUNIT_EXPECT_MEMEQ(test, mem + 100, buf, 1000);

	addr = bvec_kmap_local(&bv);
	KUNIT_EXPECT_PTR_EQ(test, addr, mem + 100);
	kunmap_local(addr);
	KUNIT_EXPECT_PTR_EQ(test, bvec_virt(&bv), mem + 100);

	memset(mem, 1, PAGE_SIZE);
	memzero_bvec(&bv);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(mem, 1, 100), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(mem + 100, 0, 1000), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(mem + 1100, 1, PAGE_SIZE - 1100), NULL);
}

static void bios_of_both_kinds_copy(struct kunit *test)
{
	u8 *less, *pages = test_pages(test, 4);
	struct bvec_fixture *f = test->priv;
	unsigned int len = 3 * PAGE_SIZE;
	pfn_t pfn;

	less = test_frames(test, &pfn);
	/* From other offsets, so that the pieces differ. */
	KUNIT_ASSERT_EQ(test, bio_add_pfn(&f->bio, pfn, len, 512), len);
	KUNIT_ASSERT_EQ(test, bio_add_page(&f->other, virt_to_page(pages), len, 1024), len);

	fill(less, 4 * PAGE_SIZE, 1);
	bio_copy_data(&f->other, &f->bio);
	KUNIT_EXPECT_MEMEQ(test, pages + 1024, less + 512, len);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(pages, 0, 1024), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(pages + 1024 + len, 0, PAGE_SIZE - 1024), NULL);

	memset(less, 0, 4 * PAGE_SIZE);
	bio_copy_data(&f->bio, &f->other);
	KUNIT_EXPECT_MEMEQ(test, pages + 1024, less + 512, len);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less, 0, 512), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less + 512 + len, 0, PAGE_SIZE - 512), NULL);

	memset(less, 1, 4 * PAGE_SIZE);
	zero_fill_bio(&f->bio);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less, 1, 512), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less + 512, 0, len), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less + 512 + len, 1, PAGE_SIZE - 512), NULL);
}

static void iov_iter_gives_no_pages(struct kunit *test)
{
	struct iov_iter iter;
	struct page *page, **pages = &page;
	struct bio_vec bv;
	size_t offset;

	bvec_set_pfn(&bv, __pfn_to_pfn_t(FIRST, PFN_DEV), PAGE_SIZE, 0);
	iov_iter_bvec(&iter, ITER_SOURCE, &bv, 1, PAGE_SIZE);
	iter.pageless = true;
	KUNIT_EXPECT_EQ(test, iov_iter_get_pages2(&iter, pages, PAGE_SIZE, 1, &offset), -EFAULT);
	KUNIT_EXPECT_EQ(test, iov_iter_extract_pages(&iter, &pages, PAGE_SIZE, 1, 0, &offset),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), PAGE_SIZE);
}

/* loop hands bvecs to file systems in this way. */
static void iov_iter_copies(struct kunit *test)
{
	u8 *less, *pages = test_pages(test, 1), *buf = test_pages(test, 4);
	unsigned int len = 2 * PAGE_SIZE + 512 + 1000;
	struct iov_iter iter;
	struct bio_vec bv[2];
	pfn_t pfn;

	less = test_frames(test, &pfn);
	bvec_set_pfn(&bv[0], pfn, 2 * PAGE_SIZE + 512, PAGE_SIZE + 512);
	bvec_set_page(&bv[1], virt_to_page(pages), 1000, 8);

	fill(buf, len, 1);
	iov_iter_bvec(&iter, ITER_DEST, bv, 2, len);
	KUNIT_EXPECT_EQ(test, copy_to_iter(buf, 700, &iter), 700);
	KUNIT_EXPECT_EQ(test, copy_to_iter(buf + 700, len - 700, &iter), len - 700);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 0);
	KUNIT_EXPECT_MEMEQ(test, less + PAGE_SIZE + 512, buf, 2 * PAGE_SIZE + 512);
	KUNIT_EXPECT_MEMEQ(test, pages + 8, buf + 2 * PAGE_SIZE + 512, 1000);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less, 0, PAGE_SIZE + 512), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less + 3 * PAGE_SIZE + 1024, 0, PAGE_SIZE - 1024), NULL);

	memset(buf, 0, len);
	iov_iter_bvec(&iter, ITER_SOURCE, bv, 2, len);
	iov_iter_advance(&iter, PAGE_SIZE);
	iov_iter_revert(&iter, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, copy_from_iter_full(buf, len, &iter));
	KUNIT_EXPECT_MEMEQ(test, less + PAGE_SIZE + 512, buf, 2 * PAGE_SIZE + 512);
	KUNIT_EXPECT_MEMEQ(test, pages + 8, buf + 2 * PAGE_SIZE + 512, 1000);

	iov_iter_bvec(&iter, ITER_DEST, bv, 2, len);
	KUNIT_EXPECT_EQ(test, iov_iter_zero(len, &iter), len);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(less, 0, 4 * PAGE_SIZE), NULL);
}

static struct kunit_case bvec_cases[] = {
	KUNIT_CASE(bvec_keeps_its_frame),
	KUNIT_CASE(bvec_keeps_its_page),
	KUNIT_CASE(iterator_visits_each_frame),
	KUNIT_CASE(iterator_stops_anywhere),
	KUNIT_CASE(iterator_of_all_visits_each_frame),
	KUNIT_CASE(frames_of_one_range_merge),
	KUNIT_CASE(ranges_that_touch_do_not_merge),
	KUNIT_CASE(kinds_do_not_merge),
	KUNIT_CASE(full_bio_takes_no_more),
	KUNIT_CASE(segments_of_ranges_do_not_merge),
	KUNIT_CASE(segments_of_kinds_do_not_merge),
	KUNIT_CASE(bio_knows_that_it_is_pageless),
	KUNIT_CASE(clones_and_splits_know_it_too),
	KUNIT_CASE(bvec_copies_and_clears),
	KUNIT_CASE(bios_of_both_kinds_copy),
	KUNIT_CASE(iov_iter_gives_no_pages),
	KUNIT_CASE(iov_iter_copies),
	{}
};

static struct kunit_suite bvec_suite = {
	.name = "pageless_bvec",
	.init = bvec_init,
	.exit = bvec_exit,
	.test_cases = bvec_cases,
};
kunit_test_suite(bvec_suite);

MODULE_DESCRIPTION("KUnit tests for page-less bvecs and bios");
MODULE_LICENSE("GPL");
