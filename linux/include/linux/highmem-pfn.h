/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel address of a frame, whether it has a struct page or not. See
 * Documentation/mm/pageless.rst.
 */
#ifndef _LINUX_HIGHMEM_PFN_H
#define _LINUX_HIGHMEM_PFN_H

#include <linux/highmem.h>
#include <linux/pfn_t.h>

#ifdef CONFIG_PAGELESS_DEBUG
void pageless_check_pfn(unsigned long pfn);
#else
static inline void pageless_check_pfn(unsigned long pfn)
{
}
#endif

/**
 * kmap_local_pfn_t() - kernel address of a frame, page-backed or page-less
 * @pfn: the frame
 *
 * The counterpart of kmap_local_page(); undo it with kunmap_local(), in reverse
 * order. For a page-less frame it is one add, for any number of ranges, because
 * ranges are in the linear map. It takes no reference: the caller holds the
 * range by a reference, by a pin or by dax_read_lock().
 *
 * Context: any. The address is valid in the calling context only.
 * Return: the address of the first byte of the frame.
 */
static inline void *kmap_local_pfn_t(pfn_t pfn)
{
	if (pfn_t_pageless(pfn)) {
		pageless_check_pfn(pfn_t_to_pfn(pfn));
		return __va(pfn_t_to_phys(pfn));
	}
	return kmap_local_page(pfn_to_page(pfn_t_to_pfn(pfn)));
}

#endif /* _LINUX_HIGHMEM_PFN_H */
