// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/smaps, smaps_rollup, maps and map_files show DAX mappings at both
 * levels.  Monitoring reads them for every process: an oops there, or a hang,
 * takes the machine down, not the one who mapped.
 */
#include "dax_fixture.h"

static char text[4 << 20];

/* The number after @field in the smaps entry of the mapping at @p. */
static long smaps_kb(struct __test_metadata *_metadata, char *p, const char *field)
{
	char range[64];
	char *entry;

	ASSERT_LT(0, dax_read_path("/proc/self/smaps", text, sizeof(text)));
	snprintf(range, sizeof(range), "%lx-%lx", (long)p, (long)p + MAP_LEN);
	entry = strstr(text, range);
	ASSERT_NE(NULL, entry) TH_LOG("no entry %s", range);
	entry = strstr(entry, field);
	ASSERT_NE(NULL, entry);
	return atol(entry + strlen(field));
}

TEST_F(map, smaps_has_the_entry)
{
	EXPECT_EQ((long)MAP_LEN / 1024, smaps_kb(_metadata, self->p, "Size:"));
	EXPECT_EQ(0, smaps_kb(_metadata, self->p, "Swap:"));
	EXPECT_EQ(0, smaps_kb(_metadata, self->p, "Anonymous:"));
}

/* DAX memory is no resident set: it would be charged to nobody. */
TEST_F(map, dax_is_not_resident_set)
{
	if (!dax.check)
		SKIP(return, "the page cache is");
	EXPECT_EQ(0, smaps_kb(_metadata, self->p, "Rss:"));
	EXPECT_EQ(0, smaps_kb(_metadata, self->p, "Pss:"));
}

TEST_F(map, private_copies_are_anonymous)
{
	char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	ASSERT_EQ(0, dax_try_load(q + PMD_SZ));
	dax_fill(q, 8 * PAGE_SZ, 0, 1);
	EXPECT_EQ(8 * (long)PAGE_SZ / 1024, smaps_kb(_metadata, q, "Anonymous:"));
}

TEST_F(map, smaps_rollup_is_readable)
{
	ASSERT_LT(0, dax_read_path("/proc/self/smaps_rollup", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "[rollup]"));
	EXPECT_NE(NULL, strstr(text, "Pss:"));
}

TEST_F(map, map_files_names_the_file)
{
	char path[64], target[4096];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)self->p,
		 (long)self->p + MAP_LEN);
	len = readlink(path, target, sizeof(target) - 1);
	ASSERT_LT(0, len) TH_LOG("%s: %s", path, strerror(errno));
	target[len] = 0;
	EXPECT_NE(NULL, strstr(target, "pageless."));
}

/* The counters of the process must balance when it ends. */
TEST_F(map, rss_counters_stay_sane)
{
	char *line;

	ASSERT_EQ(0, munmap(self->p, MAP_LEN));
	ASSERT_LT(0, dax_read_path("/proc/self/status", text, sizeof(text)));
	line = strstr(text, "RssFile:");
	ASSERT_NE(NULL, line);
	EXPECT_LE(0, atol(line + strlen("RssFile:")));
	EXPECT_GT(1L << 20, atol(line + strlen("RssFile:")));
}

DAX_TEST_MAIN
