/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to mm/pageless/. The order of locks, of references and of teardown is
 * drawn here, once.
 *
 * Locks, outermost first:
 *
 *	pageless_lock		list of ranges; registration and removal
 *	  mem_hotplug_lock	sections and linear map: from check to publication
 *	    xa_lock		pageless_ranges
 *
 * Readers of pageless_ranges hold rcu_read_lock() and no lock.
 *
 * References: pageless_range_get() --> range->ref --> the linear map and the
 * memory of struct pageless_range. What a user mapping holds is nothing: it is
 * revoked.
 *
 *	register				unregister
 *	--------				----------
 *	check                   |		^  percpu_ref
 *	percpu_ref              |		|  release resource
 *	claim resource          |		|  memory type
 *	memory type             |		|  KASAN shadow
 *	KASAN shadow            |		|  linear map
 *	linear map              |		|  wait for the last reference
 *	                        |		|  ops->revoke(): user mappings
 *	publish in the xarray   v  last		|  unpublish, grace period, kill ref
 */
#ifndef _MM_PAGELESS_H
#define _MM_PAGELESS_H

#include <linux/pageless.h>

extern struct list_head pageless_list;
extern struct mutex pageless_lock;

int pageless_linear_add(struct pageless_range *range);
void pageless_linear_remove(struct pageless_range *range);

#endif /* _MM_PAGELESS_H */
