// SPDX-License-Identifier: GPL-2.0
/*
 * Scatterlists with page-less entries, and the walkers of crypto on them. What
 * warns is a suite of its own, because elsewhere the log must stay clean.
 */
#include <crypto/hash.h>
#include <crypto/scatterwalk.h>
#include <crypto/skcipher.h>
#include <kunit/test.h>
#include <linux/bvec.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "backed_range.h"

#define NR_PAGES	8
#define LARGEST_PFN	((unsigned long)~PFN_FLAGS_MASK)

struct sg_fixture {
	struct pageless_range range;
	struct page *pages[NR_PAGES];	/* what the addresses of the range reach */
	u8 *dram;			/* NR_PAGES pages, physically contiguous */
	struct sg_table table;		/* test_table() */
	u8 *model;			/* the bytes that it should have */
};

/* -------- a page-less range that has memory ------------------------------- */

static int sg_test_init(struct kunit *test)
{
	struct sg_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	return 0;
}

static void sg_test_exit(struct kunit *test)
{
	struct sg_fixture *f = test->priv;

	if (!f)
		return;
	sg_free_table(&f->table);
	backed_range_unregister(&f->range, f->pages, NR_PAGES);
}

static void test_range(struct kunit *test)
{
	struct sg_fixture *f = test->priv;

	f->dram = kunit_kzalloc(test, NR_PAGES * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->dram);
	backed_range_register(test, &f->range, f->pages, NR_PAGES);
}

static pfn_t range_pfn(struct sg_fixture *f, unsigned int nr)
{
	return __pfn_to_pfn_t(pageless_start_pfn(&f->range) + nr, PFN_DEV);
}

/* Pieces of the two kinds of memory, with odd ends, none twice. */
static const struct piece {
	bool pageless;
	unsigned int offset, len;
} pieces[] = {
	{ false, 17, 1000 },
	{ true, 513, 3 },
	{ true, PAGE_SIZE - 5, 2 * PAGE_SIZE + 11 },
	{ false, PAGE_SIZE + 1, 2 * PAGE_SIZE },
	{ true, 4 * PAGE_SIZE - 1, 2 },
	{ true, 5 * PAGE_SIZE, PAGE_SIZE },
	{ false, 4 * PAGE_SIZE, 4 * PAGE_SIZE },
};

/* The bytes of the table, and where the piece is that is a whole frame. */
#define TOTAL	(1000 + 3 + 2 * PAGE_SIZE + 11 + 2 * PAGE_SIZE + 2 + 5 * PAGE_SIZE)

#define ONE_FRAME	(TOTAL - 5 * PAGE_SIZE)

static void set_piece(struct sg_fixture *f, struct scatterlist *sg, const struct piece *p)
{
	/* Both names of an offset beyond the first frame. */
	unsigned int nr = p->len & 1 ? 0 : p->offset / PAGE_SIZE;

	if (p->pageless)
		sg_set_pfn(sg, range_pfn(f, nr), p->len, p->offset - nr * PAGE_SIZE);
	else
		sg_set_buf(sg, f->dram + p->offset, p->len);
}

/* Where a byte of the table is, found without the code under test. */
static u8 *table_byte(struct sg_fixture *f, unsigned int n)
{
	const struct piece *p = pieces;

	for (; n >= p->len; p++)
		n -= p->len;
	n += p->offset;
	if (!p->pageless)
		return f->dram + n;
	return (u8 *)page_address(f->pages[n / PAGE_SIZE]) + n % PAGE_SIZE;
}

static void test_table(struct kunit *test)
{
	struct sg_fixture *f = test->priv;
	struct scatterlist *sg;
	unsigned int n;
	int i;

	test_range(test);
	f->model = kunit_kzalloc(test, TOTAL, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->model);
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&f->table, ARRAY_SIZE(pieces), GFP_KERNEL));
	for_each_sgtable_sg(&f->table, sg, i)
		set_piece(f, sg, &pieces[i]);
	for (n = 0; n < TOTAL; n++)
		f->model[n] = *table_byte(f, n) = n * 7 + n / 251;
}

static void expect_model(struct kunit *test)
{
	struct sg_fixture *f = test->priv;
	unsigned int n;

	for (n = 0; n < TOTAL; n++)
		if (*table_byte(f, n) != f->model[n])
			break;
	KUNIT_EXPECT_EQ(test, n, TOTAL);
}

/* -------- entries ---------------------------------------------------------- */

/* An entry that changes its frame or its flags is other data, or no end. */
static void entry_keeps_its_frame_and_flags(struct kunit *test)
{
	const unsigned long pfns[] = { 1, 0xfffff, 0x100000, LARGEST_PFN };
	struct scatterlist sg[2];
	int i, last;

	for (i = 0; i < ARRAY_SIZE(pfns); i++) {
		pfn_t pfn = __pfn_to_pfn_t(pfns[i], PFN_DEV);

		sg_init_table(sg, 2);
		for (last = 0; last < 2; last++) {
			/* Over a page, and over itself. */
			sg_set_page(&sg[last], ZERO_PAGE(0), 1, 1);
			sg_set_pfn(&sg[last], pfn, 4096, 513);
			sg_set_pfn(&sg[last], pfn, 1536, 512);
			KUNIT_EXPECT_EQ(test, sg_is_last(&sg[last]), last);
			KUNIT_EXPECT_FALSE(test, sg_is_chain(&sg[last]));
			KUNIT_EXPECT_TRUE(test, sg_pageless(&sg[last]));
			KUNIT_EXPECT_EQ(test, sg_pfn(&sg[last]).val, pfn.val);
			KUNIT_EXPECT_EQ(test, sg_phys(&sg[last]), PFN_PHYS(pfns[i]) + 512);
			KUNIT_EXPECT_EQ(test, sg[last].length, 1536);
			KUNIT_EXPECT_EQ(test, sg[last].offset, 512);
		}
		sg_unmark_end(&sg[1]);
		sg_mark_end(&sg[0]);
		KUNIT_EXPECT_EQ(test, sg_pfn(&sg[0]).val, pfn.val);
		KUNIT_EXPECT_EQ(test, sg_pfn(&sg[1]).val, pfn.val);
		KUNIT_EXPECT_TRUE(test, sg_is_last(&sg[0]));
		KUNIT_EXPECT_FALSE(test, sg_is_last(&sg[1]));
	}
}

static void entry_keeps_its_page(struct kunit *test)
{
	struct page *page = ZERO_PAGE(0);
	struct scatterlist sg, from;

	sg_init_table(&sg, 1);
	KUNIT_EXPECT_FALSE(test, sg_pageless(&sg));
	KUNIT_EXPECT_PTR_EQ(test, sg_page(&sg), NULL);
	sg_set_page(&sg, page, 1536, 512);
	KUNIT_EXPECT_FALSE(test, sg_pageless(&sg));
	KUNIT_EXPECT_TRUE(test, sg_is_last(&sg));
	KUNIT_EXPECT_PTR_EQ(test, sg_page(&sg), page);
	KUNIT_EXPECT_EQ(test, sg_pfn(&sg).val, page_to_pfn_t(page).val);
	KUNIT_EXPECT_EQ(test, sg_phys(&sg), page_to_phys(page) + 512);
	KUNIT_EXPECT_PTR_EQ(test, sg_virt(&sg), page_address(page) + 512);

	/* As a page-backed DAX device names it. */
	sg_set_pfn(&sg, __pfn_to_pfn_t(page_to_pfn(page), PFN_DEV | PFN_MAP), 1536, 512);
	KUNIT_EXPECT_FALSE(test, sg_pageless(&sg));
	KUNIT_EXPECT_PTR_EQ(test, sg_page(&sg), page);

	sg_assign_pfn(&sg, __pfn_to_pfn_t(1, PFN_DEV));
	sg_assign_page(&sg, NULL);
	KUNIT_EXPECT_PTR_EQ(test, sg_page(&sg), NULL);
	KUNIT_EXPECT_FALSE(test, sg_is_clear(&sg));
	sg_clear(&sg);
	KUNIT_EXPECT_TRUE(test, sg_is_clear(&sg));

	sg_init_table(&from, 1);
	sg_set_pfn(&from, __pfn_to_pfn_t(LARGEST_PFN, PFN_DEV), 1, 0);
	sg_set_from(&sg, &from, 7, 9);
	KUNIT_EXPECT_FALSE(test, sg_is_last(&sg));
	KUNIT_EXPECT_EQ(test, sg_phys(&sg), PFN_PHYS(LARGEST_PFN) + 9);
	KUNIT_EXPECT_EQ(test, sg.length, 7);
	KUNIT_EXPECT_FALSE(test, sg_same_memory(&sg, &from));
	sg_mark_end(&sg);
	KUNIT_EXPECT_TRUE(test, sg_same_memory(&sg, &from));
	sg_mangle(&sg);
	KUNIT_EXPECT_FALSE(test, sg_same_memory(&sg, &from));
	KUNIT_EXPECT_TRUE(test, sg_is_last(&sg));
	sg_mangle(&sg);
	KUNIT_EXPECT_TRUE(test, sg_same_memory(&sg, &from));
}

static void entry_has_an_address(struct kunit *test)
{
	struct sg_fixture *f = test->priv;
	struct scatterlist sg;

	test_range(test);
	sg_init_table(&sg, 1);
	sg_set_pfn(&sg, range_pfn(f, 2), 4, PAGE_SIZE + 100);
	strscpy((char *)page_address(f->pages[3]) + 100, "abc", 4);
	KUNIT_EXPECT_STREQ(test, (char *)sg_virt(&sg), "abc");
	KUNIT_EXPECT_PTR_EQ(test, sg_virt(&sg), __va(sg_phys(&sg)));
}

/* -------- tables ----------------------------------------------------------- */

static struct scatterlist static_sg[4];

/* A link that loses a bit of the address sends the kernel anywhere. */
static void links_keep_the_address(struct kunit *test)
{
	/* Made up ones as well: low as on s390, and as high as they get. */
	const unsigned long made_up[] = { 0x40, 0x1000, (1UL << 53) - 0x40, -0x40UL, -1UL << 56 };
	struct scatterlist on_stack[2], link;
	struct scatterlist *sg[] = {
		static_sg, on_stack, kunit_kzalloc(test, sizeof(*sg[0]) * 4, GFP_KERNEL),
		vmalloc(PAGE_SIZE), (void *)made_up[0], (void *)made_up[1], (void *)made_up[2],
		(void *)made_up[3], (void *)made_up[4],
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(sg); i++) {
		sg_init_table(&link, 1);
		sg_set_pfn(&link, __pfn_to_pfn_t(LARGEST_PFN, PFN_DEV), 1, 1);
		sg_chain(&link, 1, sg[i]);
		KUNIT_EXPECT_TRUE(test, sg_is_chain(&link));
		KUNIT_EXPECT_FALSE(test, sg_is_last(&link));
		KUNIT_EXPECT_PTR_EQ(test, sg_chain_ptr(&link), sg[i]);
		KUNIT_EXPECT_EQ(test, link.length, 0);
		KUNIT_EXPECT_EQ(test, link.offset, 0);
	}
	vfree(sg[3]);
}

static void chained_tables_are_walked(struct kunit *test)
{
	struct scatterlist *sg, *tail = kunit_kcalloc(test, 3, sizeof(*tail), GFP_KERNEL);
	unsigned int i, nr = 3 * SG_MAX_SINGLE_ALLOC;
	struct sg_fixture *f = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, tail);
	sg_init_table(static_sg, 4);
	sg_init_table(tail, 3);
	sg_chain(static_sg, 4, tail);
	for_each_sg(static_sg, sg, 6, i)
		sg_set_pfn(sg, __pfn_to_pfn_t(LARGEST_PFN - i, PFN_DEV), i, 0);
	KUNIT_EXPECT_EQ(test, sg_nents(static_sg), 6);
	KUNIT_EXPECT_EQ(test, sg_nents_for_len(static_sg, 4), 4);
	KUNIT_EXPECT_PTR_EQ(test, sg_last(static_sg, 6), &tail[2]);
	for_each_sg(static_sg, sg, 6, i)
		KUNIT_EXPECT_EQ(test, pfn_t_to_pfn(sg_pfn(sg)), LARGEST_PFN - i);

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&f->table, nr, GFP_KERNEL));
	for_each_sgtable_sg(&f->table, sg, i)
		sg_set_pfn(sg, __pfn_to_pfn_t(LARGEST_PFN - i, PFN_DEV), 1, 0);
	KUNIT_EXPECT_EQ(test, sg_nents(f->table.sgl), nr);
}

/* Page-backed memory is never put into a page-less segment. */
static void pages_are_not_appended_to_a_pageless_entry(struct kunit *test)
{
	struct sg_fixture *f = test->priv;
	struct page *pages[2];
	int pageless;

	test_range(test);
	pages[0] = virt_to_page(f->dram);
	pages[1] = pages[0] + 1;
	for (pageless = 0; pageless < 2; pageless++) {
		struct sg_append_table append = {};

		KUNIT_ASSERT_EQ(test, 0, sg_alloc_append_table_from_pages(&append, &pages[0], 1, 0,
					PAGE_SIZE, UINT_MAX, 1, GFP_KERNEL));
		if (pageless)
			sg_assign_pfn(append.prv, __pfn_to_pfn_t(page_to_pfn(pages[0]), PFN_DEV));
		KUNIT_ASSERT_EQ(test, 0, sg_alloc_append_table_from_pages(&append, &pages[1], 1, 0,
					PAGE_SIZE, UINT_MAX, 0, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, append.sgt.nents, 1 + pageless);
		sg_free_append_table(&append);
	}
}

static void table_splits(struct kunit *test)
{
	const size_t sizes[] = { 1001, 2 + PAGE_SIZE, TOTAL - 1003 - PAGE_SIZE };
	struct sg_fixture *f = test->priv;
	struct scatterlist *out[3];
	u8 *buf = kunit_kzalloc(test, TOTAL, GFP_KERNEL);
	unsigned int i, at = 0;

	test_table(test);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, sg_split(f->table.sgl, 0, 0, 3, sizes, out, NULL, GFP_KERNEL));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sizes[i], sg_copy_to_buffer(out[i], sg_nents(out[i]), buf,
								  TOTAL));
		KUNIT_EXPECT_MEMEQ(test, buf, f->model + at, sizes[i]);
		at += sizes[i];
		kfree(out[i]);
	}
}

/* -------- copying and iterating --------------------------------------------- */

static void table_is_copied(struct kunit *test)
{
	const unsigned int skips[] = { 0, 1, 999, 1000, 1001, 1003, 1007, 1008, 9000, TOTAL - 1 };
	struct sg_fixture *f = test->priv;
	u8 *buf = kunit_kzalloc(test, TOTAL, GFP_KERNEL);
	struct scatterlist *sgl;
	unsigned int i, j, nents;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	test_table(test);
	sgl = f->table.sgl;
	nents = f->table.orig_nents;
	for (i = 0; i < ARRAY_SIZE(skips); i++) {
		unsigned int lens[] = { 1, 2, PAGE_SIZE + 1, TOTAL };

		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			unsigned int at = skips[i], len = min_t(unsigned int, lens[j], TOTAL - at);

			KUNIT_EXPECT_EQ(test, len, sg_pcopy_to_buffer(sgl, nents, buf, len, at));
			KUNIT_EXPECT_MEMEQ(test, buf, f->model + at, len);
			memset(buf, i * 16 + j + 1, len);
			memcpy(f->model + at, buf, len);
			KUNIT_EXPECT_EQ(test, len, sg_pcopy_from_buffer(sgl, nents, buf, len, at));
			expect_model(test);
		}
		memset(f->model + skips[i], 0, min_t(unsigned int, 777, TOTAL - skips[i]));
		sg_zero_buffer(sgl, nents, 777, skips[i]);
		expect_model(test);
	}
}

static void expect_iterated(struct kunit *test, unsigned int flags)
{
	struct sg_fixture *f = test->priv;
	struct sg_mapping_iter miter;
	unsigned int done = 3, n = 0;
	bool atomic = flags & SG_MITER_ATOMIC;
	bool kinds = true, same = true;

	sg_miter_start(&miter, f->table.sgl, f->table.orig_nents, flags);
	sg_miter_skip(&miter, done);
	while (sg_miter_next(&miter)) {
		kinds &= !miter.page == sg_pageless(miter.piter.sg);
		same &= !memcmp(miter.addr, f->model + done, miter.length);
		/* Every third time the user stops early. */
		if (n++ % 3 == 0)
			miter.consumed = DIV_ROUND_UP(miter.length, 2);
		done += miter.consumed;
		if (flags & SG_MITER_TO_SG)
			*(u8 *)miter.addr = f->model[done - miter.consumed] = n;
	}
	sg_miter_stop(&miter);
	KUNIT_EXPECT_TRUE_MSG(test, kinds && same, "atomic %d", atomic);
	KUNIT_EXPECT_EQ(test, done, TOTAL);
	expect_model(test);
}

static void mapping_iterator_has_both_kinds(struct kunit *test)
{
	test_table(test);
	expect_iterated(test, SG_MITER_FROM_SG);
	expect_iterated(test, SG_MITER_TO_SG);
	expect_iterated(test, SG_MITER_FROM_SG | SG_MITER_ATOMIC);
	expect_iterated(test, SG_MITER_TO_SG | SG_MITER_ATOMIC);
}

static void page_iterator_names_frames(struct kunit *test)
{
	struct scatterlist sg[2];
	struct sg_page_iter iter;
	unsigned int n = 0;

	sg_init_table(sg, 2);
	sg_set_pfn(&sg[0], __pfn_to_pfn_t(0x12345, PFN_DEV), 2 * PAGE_SIZE, 100);
	sg_set_page(&sg[1], ZERO_PAGE(0), 1, 100);
	for_each_sg_page(sg, &iter, 2, 0) {
		if (n < 3)
			KUNIT_EXPECT_EQ(test, sg_page_iter_pfn(&iter).val, (0x12345 + n) | PFN_DEV);
		else
			KUNIT_EXPECT_PTR_EQ(test, sg_page_iter_page(&iter), ZERO_PAGE(0));
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 4);
}

static void bvecs_become_entries(struct kunit *test)
{
	struct scatterlist sg[2];
	struct sg_table table = { .sgl = sg };
	struct bio_vec bv[2];
	struct iov_iter iter;

	sg_init_table(sg, 2);
	bvec_set_pfn(&bv[0], __pfn_to_pfn_t(0x12345, PFN_DEV), 1000, 100);
	bvec_set_page(&bv[1], ZERO_PAGE(0), 500, 0);
	iov_iter_bvec(&iter, ITER_SOURCE, bv, 2, 1500);
	iov_iter_advance(&iter, 10);
	KUNIT_EXPECT_EQ(test, extract_iter_to_sg(&iter, 1400, &table, 2, 0), 1400);
	KUNIT_EXPECT_EQ(test, table.nents, 2);
	KUNIT_EXPECT_EQ(test, sg_phys(&sg[0]), PFN_PHYS(0x12345) + 110);
	KUNIT_EXPECT_TRUE(test, sg_pageless(&sg[0]));
	KUNIT_EXPECT_EQ(test, sg[0].length, 990);
	KUNIT_EXPECT_PTR_EQ(test, sg_page(&sg[1]), ZERO_PAGE(0));
	KUNIT_EXPECT_EQ(test, sg[1].length, 410);
}

/* -------- crypto ------------------------------------------------------------ */

#if IS_BUILTIN(CONFIG_CRYPTO_SKCIPHER) && IS_BUILTIN(CONFIG_CRYPTO_HASH)

/* Encrypts the model by itself and the table in place: the same must come out. */
static void expect_encrypted(struct kunit *test, const char *name, unsigned int keylen,
			     unsigned int start, unsigned int len)
{
	struct sg_fixture *f = test->priv;
	struct scatterlist one, ffwd[2], *sg = scatterwalk_ffwd(ffwd, f->table.sgl, start);
	struct crypto_skcipher *tfm = crypto_alloc_skcipher(name, 0, 0);
	struct skcipher_request *req;
	DECLARE_CRYPTO_WAIT(wait);
	u8 key[64], iv[2][16] = {};
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, tfm, "%s", name);
	for (i = 0; i < keylen; i++)
		key[i] = i;
	req = skcipher_request_alloc(tfm, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, req);
	KUNIT_EXPECT_EQ(test, 0, crypto_skcipher_setkey(tfm, key, keylen));
	if (req) {
		skcipher_request_set_callback(req, CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done,
					      &wait);
		sg_init_one(&one, f->model + start, len);
		skcipher_request_set_crypt(req, &one, &one, len, iv[0]);
		KUNIT_EXPECT_EQ(test, 0, crypto_wait_req(crypto_skcipher_encrypt(req), &wait));
		skcipher_request_set_crypt(req, sg, sg, len, iv[1]);
		KUNIT_EXPECT_EQ(test, 0, crypto_wait_req(crypto_skcipher_encrypt(req), &wait));
		expect_model(test);

		/* And back, from the table to somewhere else. */
		memset(iv, 0, sizeof(iv));
		skcipher_request_set_crypt(req, sg, &one, len, iv[0]);
		KUNIT_EXPECT_EQ(test, 0, crypto_wait_req(crypto_skcipher_decrypt(req), &wait));
		skcipher_request_set_crypt(req, sg, sg, len, iv[1]);
		KUNIT_EXPECT_EQ(test, 0, crypto_wait_req(crypto_skcipher_decrypt(req), &wait));
		expect_model(test);
	}
	skcipher_request_free(req);
	crypto_free_skcipher(tfm);
}

static void ciphers_walk_both_kinds(struct kunit *test)
{
	static const char * const names[] = {
		"xts(aes)", "xts(ecb(aes-generic))", "cbc(aes)", "cbc(aes-generic)",
	};
	int i;

	test_table(test);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		unsigned int keylen = names[i][0] == 'x' ? 64 : 32;

		expect_encrypted(test, names[i], keylen, 0, round_down(TOTAL, 16));
		expect_encrypted(test, names[i], keylen, 1002, 3 * PAGE_SIZE);
		/* A part of one frame, which is what dm-crypt hands out. */
		expect_encrypted(test, names[i], keylen, ONE_FRAME, 512);
	}
}

static void hashes_walk_both_kinds(struct kunit *test)
{
	struct sg_fixture *f = test->priv;
	struct crypto_ahash *tfm;
	const unsigned int at[] = { 0, 1001, ONE_FRAME }, len[] = { TOTAL, 5000, 512 };
	struct ahash_request *req;
	int i;

	test_table(test);
	tfm = crypto_alloc_ahash("sha256", 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(tfm))
		kunit_skip(test, "no sha256");
	req = ahash_request_alloc(tfm, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, req);
	for (i = 0; req && i < ARRAY_SIZE(at); i++) {
		struct scatterlist one, ffwd[2];
		u8 sum[2][32];

		ahash_request_set_callback(req, CRYPTO_TFM_REQ_MAY_SLEEP, NULL, NULL);
		sg_init_one(&one, f->model + at[i], len[i]);
		ahash_request_set_crypt(req, &one, sum[0], len[i]);
		KUNIT_EXPECT_EQ(test, 0, crypto_ahash_digest(req));
		ahash_request_set_crypt(req, scatterwalk_ffwd(ffwd, f->table.sgl, at[i]), sum[1],
					len[i]);
		KUNIT_EXPECT_EQ(test, 0, crypto_ahash_digest(req));
		KUNIT_EXPECT_MEMEQ(test, sum[0], sum[1], 32);
	}
	ahash_request_free(req);
	crypto_free_ahash(tfm);
}

static void scatterwalk_copies_both_kinds(struct kunit *test)
{
	struct sg_fixture *f = test->priv;
	u8 *buf = kunit_kzalloc(test, TOTAL, GFP_KERNEL);
	struct scatterlist one;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	test_table(test);
	scatterwalk_map_and_copy(buf, f->table.sgl, 5, TOTAL - 5, 0);
	KUNIT_EXPECT_MEMEQ(test, buf, f->model + 5, TOTAL - 5);
	memset(buf, 0xa5, TOTAL);
	memset(f->model + 1, 0xa5, TOTAL - 2);
	scatterwalk_map_and_copy(buf, f->table.sgl, 1, TOTAL - 2, 1);
	expect_model(test);

	sg_init_one(&one, buf, TOTAL);
	memcpy_sglist(&one, f->table.sgl, TOTAL);
	KUNIT_EXPECT_MEMEQ(test, buf, f->model, TOTAL);
	memset(buf, 0x5a, TOTAL);
	memset(f->model, 0x5a, TOTAL);
	memcpy_sglist(f->table.sgl, &one, TOTAL);
	expect_model(test);
	memcpy_sglist(f->table.sgl, f->table.sgl, TOTAL);
	expect_model(test);
}

#endif

static struct kunit_case sg_cases[] = {
	KUNIT_CASE(entry_keeps_its_frame_and_flags),
	KUNIT_CASE(entry_keeps_its_page),
	KUNIT_CASE(entry_has_an_address),
	KUNIT_CASE(links_keep_the_address),
	KUNIT_CASE(chained_tables_are_walked),
	KUNIT_CASE(pages_are_not_appended_to_a_pageless_entry),
	KUNIT_CASE(table_splits),
	KUNIT_CASE(table_is_copied),
	KUNIT_CASE(mapping_iterator_has_both_kinds),
	KUNIT_CASE(page_iterator_names_frames),
	KUNIT_CASE(bvecs_become_entries),
#if IS_BUILTIN(CONFIG_CRYPTO_SKCIPHER) && IS_BUILTIN(CONFIG_CRYPTO_HASH)
	KUNIT_CASE(ciphers_walk_both_kinds),
	KUNIT_CASE(hashes_walk_both_kinds),
	KUNIT_CASE(scatterwalk_copies_both_kinds),
#endif
	{}
};

static struct kunit_suite sg_suite = {
	.name = "pageless_sg",
	.init = sg_test_init,
	.exit = sg_test_exit,
	.test_cases = sg_cases,
};

static void page_of_a_pageless_entry_is_null(struct kunit *test)
{
	struct scatterlist sg[2];
	int i;

	/* Not at boot, but when it is run by debugfs. KUnit would skip it then, too. */
	if (system_state < SYSTEM_RUNNING)
		return;
	sg_init_table(sg, 2);
	for (i = 0; i < 2; i++) {
		sg_set_pfn(&sg[i], __pfn_to_pfn_t(0x100000 + i, PFN_DEV), PAGE_SIZE, 0);
		KUNIT_EXPECT_PTR_EQ(test, sg_page(&sg[i]), NULL);
	}
}

static struct kunit_case sg_warn_cases[] = {
	KUNIT_CASE(page_of_a_pageless_entry_is_null),
	{}
};

static struct kunit_suite sg_warn_suite = {
	.name = "pageless_sg_warn",
	.test_cases = sg_warn_cases,
};
kunit_test_suites(&sg_suite, &sg_warn_suite);

MODULE_DESCRIPTION("KUnit tests for page-less scatterlists");
MODULE_LICENSE("GPL");
