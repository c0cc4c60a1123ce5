/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User memory without struct pages for KUnit tests, and with.
 */
#ifndef _PAGELESS_TESTS_USER_RANGE_H
#define _PAGELESS_TESTS_USER_RANGE_H

#include <kunit/test.h>
#include <linux/pageless.h>
#include <linux/sizes.h>

/* Frames of struct user_range.range but eight, which are in a chunk of their own. */
#define USER_RANGE_PFNS	PHYS_PFN(2UL * SZ_1G)
/* Where to map: aligned for entries of all sizes. */
#define USER_ADDR	(1UL << 40)
#define USER_EXTENTS	16

/* What user_range_init() makes of test->priv. Owned by the test thread. */
struct user_range {
	struct pageless_range range;	/* 1 GiB aligned */
	struct pageless_range next;	/* for user_range_add(); removed if it has a size */
	unsigned long pfn;		/* the first frame, at offset 0 of the file */
	struct file *file;
	struct mm_struct *mm;		/* of the test thread */
	unsigned int order;		/* of the entries that faults make */
	unsigned int faults;		/* since user_map_frames() */
	unsigned int fatal_fault;	/* the one of them that brings SIGKILL, or 0 */
	bool keep_mappings;		/* when the range is revoked */
	struct pfn_extent extents[USER_EXTENTS];
	unsigned int nr;		/* of them that user_pin() filled */
};

int user_range_init(struct kunit *test);
void user_range_exit(struct kunit *test);
void user_range_add(struct kunit *test, struct pageless_range *range, unsigned long pfn,
		    unsigned long nr);

void user_map(struct kunit *test, struct file *file, unsigned long addr, unsigned long frame,
	      unsigned long nr, unsigned long prot);
void user_fault(struct kunit *test, unsigned long addr, unsigned long nr, bool write);
void user_map_frames(struct kunit *test, unsigned long addr, unsigned long frame,
		     unsigned long nr, unsigned int order);
void user_map_pages(struct kunit *test, unsigned long addr, unsigned long nr);
void user_protect(struct kunit *test, unsigned long addr, unsigned long nr,
		  unsigned long vm_flags);
void user_unmap_file(struct user_range *f);

long user_pin(struct kunit *test, unsigned long addr, unsigned long nr, unsigned int flags);
void user_unpin(struct kunit *test);
unsigned long user_pins(struct user_range *f);
bool user_pinned(struct user_range *f, unsigned long frame, unsigned long nr);
struct page *user_page_at(struct kunit *test, unsigned long addr);
int user_page_pins(struct page *page);
void user_expect_frames(struct kunit *test, unsigned int i, unsigned long frame,
			unsigned int nr, bool whole);
void user_expect_pages(struct kunit *test, unsigned int i, unsigned long addr, unsigned int nr);

const void *user_order_gen_params(const void *prev, char *desc);

/* The order of the entries, for KUNIT_CASE_PARAM(case, user_order_gen_params). */
static inline unsigned int user_order(struct kunit *test)
{
	return *(const unsigned int *)test->param_value;
}

#endif /* _PAGELESS_TESTS_USER_RANGE_H */
