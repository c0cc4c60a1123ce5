// SPDX-License-Identifier: GPL-2.0
/*
 * The linear mapping of a page-less range: page tables, KASAN shadow and memory
 * type. This is what arch_add_memory() does for memory that gets a memmap.
 */
#define pr_fmt(fmt) "pageless: " fmt

#include <linux/kasan.h>
#include <linux/memory_hotplug.h>
#include <linux/pagewalk.h>
#include <linux/vmalloc.h>
#include "pageless.h"

/* -------- KASAN shadow ---------------------------------------------------- */

#ifdef CONFIG_KASAN
#define SHADOW_SPAN	(PAGE_SIZE << KASAN_SHADOW_SCALE_SHIFT)

/*
 * One page of shadow speaks for SHADOW_SPAN bytes, so at an edge of the range it
 * may speak for RAM, or for another range, too. An edge block that has a shadow
 * keeps it; one that has none gets the zero shadow for good, which costs nothing.
 */
static int pageless_shadow_edge(phys_addr_t block)
{
	u8 byte;

	if (!get_kernel_nofault(byte, (u8 *)kasan_mem_to_shadow(__va(block))))
		return 0;
	return kasan_add_zero_shadow(__va(block), SHADOW_SPAN);
}

static int pageless_shadow_add(struct pageless_range *range)
{
	phys_addr_t end = range->start + range->size;
	phys_addr_t first = ALIGN(range->start, SHADOW_SPAN);
	phys_addr_t last = ALIGN_DOWN(end, SHADOW_SPAN);
	int err = 0;

	if (range->start < first)
		err = pageless_shadow_edge(first - SHADOW_SPAN);
	if (!err && last < end && last >= first)
		err = pageless_shadow_edge(last);
	if (!err && first < last)
		err = kasan_add_zero_shadow(__va(first), last - first);
	return err;
}

static void pageless_shadow_remove(struct pageless_range *range)
{
	phys_addr_t first = ALIGN(range->start, SHADOW_SPAN);
	phys_addr_t last = ALIGN_DOWN(range->start + range->size, SHADOW_SPAN);

	if (first < last)
		kasan_remove_zero_shadow(__va(first), last - first);
}
#else
static int pageless_shadow_add(struct pageless_range *range)
{
	return 0;
}

static void pageless_shadow_remove(struct pageless_range *range)
{
}
#endif

/* -------- page tables ----------------------------------------------------- */

static int pageless_pud_free(pud_t *pud, unsigned long addr, unsigned long next,
			     struct mm_walk *walk)
{
	return pud_leaf(*pud) ? -EBUSY : 0;
}

static int pageless_pmd_free(pmd_t *pmd, unsigned long addr, unsigned long next,
			     struct mm_walk *walk)
{
	return pmd_leaf(*pmd) ? -EBUSY : 0;
}

static int pageless_pte_free(pte_t *pte, unsigned long addr, unsigned long next,
			     struct mm_walk *walk)
{
	return pte_none(ptep_get(pte)) ? 0 : -EBUSY;
}

/* vmap_page_range() takes it for a bug when an address is in use; a range may come from firmware. */
static int pageless_linear_unused(unsigned long start, unsigned long end)
{
	static const struct mm_walk_ops ops = {
		.pud_entry = pageless_pud_free,
		.pmd_entry = pageless_pmd_free,
		.pte_entry = pageless_pte_free,
		.walk_lock = PGWALK_RDLOCK,
	};
	int err;

	mmap_read_lock(&init_mm);
	err = walk_kernel_page_table_range(start, end, &ops, NULL, NULL);
	mmap_read_unlock(&init_mm);
	return err;
}

static int pageless_map(struct pageless_range *range, pgprot_t prot)
{
	unsigned long start = (unsigned long)__va(range->start);
	unsigned long end = start + range->size;
	int err;

	err = pageless_linear_unused(start, end);
	if (err) {
		pr_warn_ratelimited("%s [%pa + %pa]: already in the linear map\n",
				    range->name ?: "?", &range->start, &range->size);
		return err;
	}
	err = vmap_page_range(start, end, range->start, prot);
	if (err)
		vunmap_range(start, end);
	return err;
}

static int pageless_pte_forget(pte_t *pte, unsigned long addr, unsigned long next,
			       struct mm_walk *walk)
{
	if (!pte_none(ptep_get(pte)) && !pte_present(ptep_get(pte)))
		pte_clear(&init_mm, addr, pte);
	return 0;
}

/*
 * Empty page tables stay, as those of vmalloc() do; the next range here uses
 * them. A poisoned frame may have been made not present (set_mce_nospec()).
 */
static void pageless_unmap(struct pageless_range *range)
{
	static const struct mm_walk_ops ops = {
		.pte_entry = pageless_pte_forget,
		.walk_lock = PGWALK_RDLOCK,
	};
	unsigned long start = (unsigned long)__va(range->start);
	unsigned long end = start + range->size;

	mmap_read_lock(&init_mm);
	walk_kernel_page_table_range(start, end, &ops, NULL, NULL);
	mmap_read_unlock(&init_mm);
	vunmap_range(start, end);
}

/* -------- interface ------------------------------------------------------- */

/**
 * pageless_linear_add() - give a range addresses in the linear map
 * @range: a checked range that nobody else uses
 *
 * Uses 1 GiB and 2 MiB entries where alignment and MTRRs allow, 4 KiB at the
 * edges.
 *
 * Context: may sleep; mem_hotplug_lock held for writing.
 * Return: 0, or -ENOMEM, -EBUSY or -EINVAL with nothing left behind.
 */
int pageless_linear_add(struct pageless_range *range)
{
	pgprot_t prot = pgprot_decrypted(PAGE_KERNEL);
	unsigned long pfn = pageless_start_pfn(range);
	int err;

	if (range->flags & PAGELESS_MAPPED)
		return 0;

	err = track_pfn_remap(NULL, &prot, pfn, 0, range->size);
	if (err)
		return err;
	err = pageless_shadow_add(range);
	if (err)
		goto err_track;
	err = pageless_map(range, prot);
	if (err)
		goto err_shadow;
	return 0;

err_shadow:
	pageless_shadow_remove(range);
err_track:
	untrack_pfn(NULL, pfn, range->size, true);
	return err;
}

/**
 * pageless_linear_remove() - undo pageless_linear_add()
 * @range: a range that nobody addresses any more
 *
 * Context: may sleep; mem_hotplug_lock held for writing.
 */
void pageless_linear_remove(struct pageless_range *range)
{
	if (range->flags & PAGELESS_MAPPED)
		return;

	pageless_unmap(range);
	pageless_shadow_remove(range);
	untrack_pfn(NULL, pageless_start_pfn(range), range->size, true);
}
