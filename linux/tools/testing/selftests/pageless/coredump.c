// SPDX-License-Identifier: GPL-2.0
/*
 * A core dump holds the data of DAX mappings when coredump_filter asks for it,
 * and leaves it out when not.  Otherwise post-mortem debugging shows zeros
 * where the crashed program had its data.
 */
#include <dirent.h>
#include <elf.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "dax_fixture.h"

#define FILTER_ANON		"0x33"
#define FILTER_DAX_PRIVATE	"0x80"
#define FILTER_DAX_SHARED	"0x100"

static const char core_pattern[] = "/proc/sys/kernel/core_pattern";
static char pattern_before[256];

/* A relative core_pattern puts the file into the child's directory. */
static bool set_core_pattern(void)
{
	if (dax_read_path(core_pattern, pattern_before, sizeof(pattern_before)) < 0)
		return false;
	if (!strcmp(pattern_before, "core\n")) {
		*pattern_before = 0;
		return true;
	}
	return !dax_write_path(core_pattern, "core");
}

static void restore_core_pattern(void)
{
	if (*pattern_before)
		dax_write_path(core_pattern, pattern_before);
}

static void crash(const char *dir, const char *filter)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	if (chdir(dir) || setrlimit(RLIMIT_CORE, &unlimited) || prctl(PR_SET_DUMPABLE, 1) ||
	    dax_write_path("/proc/self/coredump_filter", filter))
		_exit(1);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	_exit(1);
}

/* Open and remove the only file in @dir: core or core.PID. */
static int open_core(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int fd = -1;

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, "core", 4))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY);
		unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	rmdir(dir);
	return fd;
}

static int core_of_crash(const char *filter)
{
	char dir[] = "/tmp/pageless.core.XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(dir))
		dax_die("%s", dir);
	pid = fork();
	if (!pid)
		crash(dir, filter);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || !WCOREDUMP(status))
		dax_die("no core dumped: status %x", status);
	return open_core(dir);
}

/* The segment of the core that covers @p. */
static Elf64_Phdr segment_of(int core, const char *p)
{
	Elf64_Phdr ph = { 0 };
	Elf64_Ehdr eh;

	if (pread(core, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG))
		dax_die("the core is not ELF");
	for (int i = 0; i < eh.e_phnum; i++) {
		if (pread(core, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)) != sizeof(ph))
			dax_die("read program header %d", i);
		if (ph.p_type == PT_LOAD && ph.p_vaddr == (uintptr_t)p)
			return ph;
	}
	return (Elf64_Phdr) { 0 };
}

/* Offset in the mapping at which the core differs from the file, or -1. */
static ssize_t data_mismatch(int core, off_t at)
{
	char *buf = malloc(MAP_LEN);
	ssize_t bad;

	if (pread(core, buf, MAP_LEN, at) != MAP_LEN)
		dax_die("the core is short");
	bad = dax_mismatch(buf, MAP_LEN, 0, 0);
	free(buf);
	return bad;
}

static void expect_in_core(struct __test_metadata *_metadata, char *p, const char *filter)
{
	int core = core_of_crash(filter);
	Elf64_Phdr ph = segment_of(core, p);

	ASSERT_LE(0, core);
	EXPECT_EQ(MAP_LEN, ph.p_memsz);
	ASSERT_EQ(MAP_LEN, ph.p_filesz);
	EXPECT_EQ(-1, data_mismatch(core, ph.p_offset));
	close(core);
}

FIXTURE(core)
{
	int fd;
};

FIXTURE_VARIANT(core)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(core, pte)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(core, pmd)
{
	.huge = true,
};

FIXTURE_SETUP(core)
{
	if (!dax.check)
		SKIP(return, "the DAX bits of coredump_filter want DAX");
	if (!set_core_pattern())
		SKIP(return, "cannot set core_pattern");
	self->fd = dax_create(MAP_LEN);
}

FIXTURE_TEARDOWN(core)
{
	restore_core_pattern();
	close(self->fd);
}

TEST_F(core, shared_data_when_asked_for)
{
	char *p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);

	dax_populate(p, MAP_LEN);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p + PMD_SZ);
	expect_in_core(_metadata, p, FILTER_DAX_SHARED);
}

/* Never touched by the process: the dump faults it in. */
TEST_F(core, untouched_data_when_asked_for)
{
	char *p = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);

	expect_in_core(_metadata, p, FILTER_DAX_SHARED);
}

TEST_F(core, private_data_when_asked_for)
{
	char *p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  variant->huge);

	dax_touch(p, MAP_LEN, false);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p);
	/* A mixture of the file's pages and of copies. */
	dax_populate(p, 8 * PAGE_SZ);
	ASSERT_LEVEL(DAX_4K, p);
	ASSERT_LEVEL(variant->huge ? DAX_2M : DAX_4K, p + PMD_SZ);
	expect_in_core(_metadata, p, FILTER_DAX_PRIVATE);
}

TEST_F(core, nothing_when_not_asked_for)
{
	char *p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  variant->huge);
	Elf64_Phdr ph;
	int core;

	dax_populate(p, MAP_LEN);
	core = core_of_crash(FILTER_ANON);
	ASSERT_LE(0, core);
	ph = segment_of(core, p);
	EXPECT_EQ(MAP_LEN, ph.p_memsz);
	EXPECT_EQ(0UL, ph.p_filesz);
	close(core);
}

DAX_TEST_MAIN
