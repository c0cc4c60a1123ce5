// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/pageless/: what page-less memory there is and who uses it.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "pageless.h"

/* A percpu_ref has a sum in atomic mode only. A listed range is not being killed. */
static unsigned long pageless_users(struct pageless_range *range)
{
	unsigned long users;

	lockdep_assert_held(&pageless_lock);
	percpu_ref_switch_to_atomic_sync(&range->ref);
	/* One is the registration's own. */
	users = atomic_long_read(&range->ref.data->count) - 1;
	percpu_ref_switch_to_percpu(&range->ref);
	return users;
}

static int pageless_ranges_show(struct seq_file *m, void *unused)
{
	struct pageless_range *range;
	unsigned long pins;
	size_t bytes;

	seq_puts(m, "# start end node users pins bytes owner\n");
	mutex_lock(&pageless_lock);
	list_for_each_entry(range, &pageless_list, node) {
		pins = pageless_pins_count(range, &bytes);
		seq_printf(m, "%#llx %#llx %d %lu %lu %zu %s\n", (u64)range->start,
			   (u64)(range->start + range->size - 1), range->nid,
			   pageless_users(range), pins, bytes, range->name ?: "?");
	}
	mutex_unlock(&pageless_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pageless_ranges);

static int __init pageless_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("pageless", NULL);

	debugfs_create_file("ranges", 0400, dir, NULL, &pageless_ranges_fops);
	return 0;
}
late_initcall(pageless_debugfs_init);
